"""Keeps inbox and dead letters to their time: old rows go, a few at a time."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.errors import StoreError
from notes_command.postgres import repeatable

log = structlog.get_logger()

INBOX_KEPT: Final = timedelta(days=45)
"""Longer than any upstream may wait before it sends a command again. An older id is as new."""
DEAD_LETTERS_KEPT: Final = timedelta(days=30)

# In small numbers, and never a row that somebody holds: no lock lasts, and neither side waits for the other. The time
# is the statement's, since an index cannot be asked about one that moves while it is read.
_DELETE: Final = """
DELETE FROM {table} WHERE ctid = ANY(ARRAY(
    SELECT ctid FROM {table} WHERE at < statement_timestamp() - $1::interval
    ORDER BY at LIMIT $2 FOR UPDATE SKIP LOCKED))
"""
INBOX: Final = _DELETE.format(table="inbox")
DEAD_LETTERS: Final = _DELETE.format(table="dead_letters")
ROWS: Final = 1_000
PAUSE_S: Final = 0.05
"""Seconds between two steps while there is more: some 15,000 rows a second, above what comes in for long."""
LOOK_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class PostgresRetention:
    """Deletes what is past its time. Raises StoreError."""

    engine: AsyncEngine

    async def delete_old(self, count: int) -> tuple[int, int]:
        """Delete at most `count` rows of each kind; return how many inbox rows and dead letters went."""
        return await self._delete(INBOX, INBOX_KEPT, count), await self._delete(DEAD_LETTERS, DEAD_LETTERS_KEPT, count)

    @repeatable
    async def _delete(self, statement: str, kept: timedelta, count: int) -> int:
        async with self.engine.begin() as connection:
            return (await connection.exec_driver_sql(statement, (kept, count))).rowcount


@dataclass(slots=True)
class RetentionTask:
    """Deletes in small steps with pauses, so that the pipeline does not notice. Any number of instances may."""

    retention: PostgresRetention

    async def run(self) -> None:
        """Delete until cancelled."""
        while True:
            try:
                await self._delete_all()
            except StoreError as error:
                log.warning("old rows were not deleted, trying again later", error=str(error))
            await asyncio.sleep(LOOK_S)

    async def _delete_all(self) -> None:
        inbox, dead_letters, more = 0, 0, True
        while more:
            some = await self.retention.delete_old(ROWS)
            inbox, dead_letters, more = inbox + some[0], dead_letters + some[1], ROWS in some
            if more:
                await asyncio.sleep(PAUSE_S)
        if inbox or dead_letters:
            log.info("old rows deleted", inbox=inbox, dead_letters=dead_letters)
