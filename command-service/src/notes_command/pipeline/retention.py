"""Retention of inbox and dead letters: old rows go, a few at a time."""

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
"""Longer than any upstream may wait before it sends a command again. An older id is as new."""
DEAD_LETTERS_KEPT: Final = timedelta(days=30)

# In small numbers, and never a row that somebody holds: no lock lasts, and neither side waits for the other. The time
# is the statement's, since an index cannot be asked about one that moves while it is read. What is deleted is old by
# both clocks: PostgreSQL's alone, weeks ahead, would have everything deleted that was decided by now.
_DELETE: Final = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table} WHERE at < least(statement_timestamp(), $3::timestamptz) - $1::interval
    ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
INBOX: Final = _DELETE.format(table="inbox")
DEAD_LETTERS: Final = _DELETE.format(table="dead_letters")
ROWS: Final = 1_000
PAUSE_S: Final = 0.05
"""Seconds between two steps while there is more: some 15,000 rows a second, above what comes in for long."""
LOOK_S: Final = 30.0
COUNTED: Final = 100_000
"""Dead letters of a state that are counted, at most: each instance counts at each look, however many there are."""
COUNT: Final = """
SELECT state, (SELECT count(*) FROM (SELECT FROM dead_letters WHERE state = one.state LIMIT $2) AS counted)
FROM unnest($1::text[]) AS one (state)
"""


@dataclass(frozen=True, slots=True)
class Retention:
    """Deletes what is past its time, in small steps with pauses, so that the pipeline does not notice.

    Counts what is left of the dead letters, for /metrics. Any number of instances may. Methods raise StoreError.
    """

    engine: AsyncEngine
    clock: Callable[[], datetime]

    async def run(self) -> None:
        """Delete and count until cancelled."""
        while True:
            try:
                await self._delete_all()
                found = await self.count_dead_letters()
            except StoreError as error:
                log.warning("old rows were not deleted, trying again later", error=str(error))
            else:
                for state in STATES:
                    metrics.DEAD_LETTERS_KEPT.labels(state).set(found.get(state, 0))
            await asyncio.sleep(LOOK_S)

    async def _delete_all(self) -> None:
        inbox, dead_letters, more = 0, 0, True
        while more:
            some = await self.delete_old(ROWS)
            inbox, dead_letters, more = inbox + some[0], dead_letters + some[1], ROWS in some
            if more:
                await asyncio.sleep(PAUSE_S)
        if inbox or dead_letters:
            log.info("old rows deleted", inbox=inbox, dead_letters=dead_letters)

    async def delete_old(self, count: int) -> tuple[int, int]:
        """Delete at most `count` rows of each kind; return how many inbox rows and dead letters went."""
        return await self._delete(INBOX, INBOX_KEPT, count), await self._delete(DEAD_LETTERS, DEAD_LETTERS_KEPT, count)

    @repeatable
    async def count_dead_letters(self) -> dict[str, int]:
        """Return how many dead letters there are, by state; COUNTED where there are more."""
        async with self.engine.connect() as connection:
            rows: Any = await connection.exec_driver_sql(COUNT, (list(STATES), COUNTED))
            return {row[0]: row[1] for row in rows}

    @repeatable
    async def _delete(self, statement: str, kept: timedelta, count: int) -> int:
        async with self.engine.begin() as connection:
            return (await connection.exec_driver_sql(statement, (kept, count, self.clock()))).rowcount
