"""Old rows go, a few at a time."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.postgres.errors import translated

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


@dataclass(frozen=True, slots=True)
class PostgresRetention:
    """Deletes what is past its time. Raises StoreError."""

    engine: AsyncEngine

    async def delete_old(self, count: int) -> tuple[int, int]:
        """Delete at most `count` rows of each kind; return how many inbox rows and dead letters went."""
        return await self._delete(INBOX, INBOX_KEPT, count), await self._delete(DEAD_LETTERS, DEAD_LETTERS_KEPT, count)

    async def _delete(self, statement: str, kept: timedelta, count: int) -> int:
        with translated():
            async with self.engine.begin() as connection:
                return (await connection.exec_driver_sql(statement, (kept, count))).rowcount
