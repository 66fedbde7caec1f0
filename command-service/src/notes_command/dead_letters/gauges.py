"""Counts the dead letters by state every so often."""

import asyncio
from dataclasses import dataclass
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.errors import StoreError
from notes_command.metrics import DEAD_LETTERS_KEPT
from notes_command.postgres import once_more

log = structlog.get_logger()

LOOK_S: Final = 30.0
"""They change seldom, and counting reads them all."""
STATES: Final = ("open", "redriven", "dropped")
_COUNT: Final = "SELECT state, count(*) FROM dead_letters GROUP BY state"


@dataclass(frozen=True, slots=True)
class DeadLetterGauges:
    """For /metrics."""

    engine: AsyncEngine

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            try:
                found = await once_more(self._count)
            except StoreError as error:
                log.debug("dead letters not counted", error=str(error))
            else:
                for state in STATES:
                    DEAD_LETTERS_KEPT.labels(state).set(found.get(state, 0))
            await asyncio.sleep(LOOK_S)

    async def _count(self) -> dict[str, int]:
        async with self.engine.connect() as connection:
            rows: Any = await connection.exec_driver_sql(_COUNT)
            return {row[0]: row[1] for row in rows}
