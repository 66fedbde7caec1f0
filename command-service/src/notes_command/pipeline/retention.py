"""Retention of inbox and dead letters: deletes old rows, a few at a time."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_chassis.dead_letters import STATES
from notes_command import metrics
from notes_command.errors import StoreError
from notes_command.postgres import repeatable

log = structlog.get_logger()

INBOX_KEPT: Final = timedelta(days=45)
"""Longer than any upstream may wait before it sends a command again. An older command id counts as new."""
DEAD_LETTERS_KEPT: Final = timedelta(days=30)

# A few rows at a time, and never one that somebody has locked: so no lock lasts long, and nobody waits for the other.
# An index can be searched for `statement_timestamp()`, not for `clock_timestamp()`, which changes during the statement.
# A row must be old by both clocks: if PostgreSQL's alone were weeks ahead, all rows would be deleted.
_DELETE: Final = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table} WHERE at < least(statement_timestamp(), $3::timestamptz) - $1::interval
    ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
INBOX: Final = _DELETE.format(table="inbox")
DEAD_LETTERS: Final = _DELETE.format(table="dead_letters")
ROWS: Final = 1_000
PAUSE_S: Final = 0.05
"""Seconds between two steps while there are more rows: some 15,000 rows a second, more than come in for long."""
CHECK_S: Final = 30.0
"""Seconds between two checks for old rows."""
COUNTED: Final = 100_000
"""Dead letters of a state that are counted, at most: each instance counts at each check."""
COUNT: Final = """
SELECT state, (SELECT count(*) FROM (SELECT FROM dead_letters WHERE state = one.state LIMIT $2) AS counted)
FROM unnest($1::text[]) AS one (state)
"""


@dataclass(frozen=True, slots=True)
class Retention:
    """Deletes old rows in small steps with pauses, so that they do not slow down the pipeline.

    Also counts the remaining dead letters, for /metrics. Any number of instances may run. Methods raise StoreError.
    """

    engine: AsyncEngine
    clock: Callable[[], datetime]

    async def run(self) -> None:
        """Delete and count until cancelled."""
        while True:
            try:
                await self._delete_all()
                counts = await self.count_dead_letters()
            except StoreError as error:
                log.warning("old rows were not deleted, trying again later", error=str(error))
            else:
                for state in STATES:
                    metrics.DEAD_LETTERS_KEPT.labels(state).set(counts.get(state, 0))
            await asyncio.sleep(CHECK_S)

    async def _delete_all(self) -> None:
        inbox = dead_letters = 0
        while True:
            inbox_step, dead_letters_step = await self.delete_old(ROWS)
            inbox += inbox_step
            dead_letters += dead_letters_step
            if ROWS not in (inbox_step, dead_letters_step):
                break
            await asyncio.sleep(PAUSE_S)
        if inbox or dead_letters:
            log.info("old rows deleted", inbox=inbox, dead_letters=dead_letters)

    async def delete_old(self, count: int) -> tuple[int, int]:
        """Delete at most `count` rows of each kind. Return how many rows of the inbox and dead letters were deleted."""
        inbox = await self._delete(INBOX, INBOX_KEPT, count)
        return inbox, await self._delete(DEAD_LETTERS, DEAD_LETTERS_KEPT, count)

    @repeatable
    async def count_dead_letters(self) -> dict[str, int]:
        """Return how many dead letters there are by state, at most COUNTED."""
        async with self.engine.connect() as connection:
            rows: Any = await connection.exec_driver_sql(COUNT, (list(STATES), COUNTED))
            return {row[0]: row[1] for row in rows}

    @repeatable
    async def _delete(self, statement: str, kept: timedelta, count: int) -> int:
        async with self.engine.begin() as connection:
            return (await connection.exec_driver_sql(statement, (kept, count, self.clock()))).rowcount
