"""Counts the dead letters every so often."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command import metrics
from notes_command.errors import StoreError
from notes_command.postgres import once_more

log = structlog.get_logger()

LOOK_S: Final = 30.0
STATES: Final = ("open", "redriven", "dropped")

_LETTERS: Final = "SELECT state, count(*) FROM dead_letters GROUP BY state"


@dataclass(frozen=True, slots=True)
class PostgresDeadLetterCounts:
    """Implements the port LetterCounts."""

    engine: AsyncEngine

    async def counts_by_state(self) -> dict[str, int]:
        """Count the dead letters that are kept. Raises StoreError."""

        async def count() -> dict[str, int]:
            async with self.engine.connect() as connection:
                rows: Any = await connection.exec_driver_sql(_LETTERS)
                return {row[0]: row[1] for row in rows}

        return await once_more(count)


@dataclass(slots=True)
class DeadLetterGauges:
    """Dead letters by state; they change seldom, and counting reads them all."""

    dead_letters: PostgresDeadLetterCounts

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                found = await self.dead_letters.counts_by_state()
            except StoreError as error:
                log.debug("dead letters not counted", error=str(error))
            else:
                for state in STATES:
                    metrics.DEAD_LETTERS_KEPT.labels(state).set(found.get(state, 0))
            await asyncio.sleep(LOOK_S)
