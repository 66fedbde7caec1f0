"""A page of notes, newest created first."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final, NamedTuple

from notes_query.application import cursor
from notes_query.application.ports import NoteReader, View

STATUSES: Final = MappingProxyType({"active": ("active",), "archived": ("archived",), "all": ("active", "archived")})


class Page(NamedTuple):
    """Notes, and the cursor of the next page if there is one."""

    notes: Sequence[View]
    next_cursor: str | None


class ListNotes:
    """`GET /notes`."""

    def __init__(self, reader: NoteReader) -> None:
        self._reader = reader

    async def __call__(self, limit: int, after: str | None = None, status: str = "active") -> Page:
        """Return at most `limit` notes below the cursor `after`. `status` is a key of STATUSES.

        A note visible when the first page was read is neither skipped nor repeated: the order is by creation, which
        never changes. Raises InvalidCursor, StoreUnavailable.
        """
        position = None if after is None else cursor.decode(after)
        notes = await self._reader.page(STATUSES[status], position, limit + 1)
        if len(notes) <= limit:
            return Page(notes, None)
        notes = notes[:limit]
        last = cursor.Position(notes[-1]["created_at"], notes[-1]["_id"])
        return Page(notes, cursor.encode(last))
