"""A page of notes, newest created first."""

from collections.abc import Sequence
from types import MappingProxyType
from typing import Final, NamedTuple, Protocol

from notes_query.projecting.ports import View
from notes_query.reads import cursor
from notes_query.reads.cursor import Position

STATUSES: Final = MappingProxyType({"active": ("active",), "archived": ("archived",), "all": ("active", "archived")})


class Chosen(NamedTuple):
    """Which notes: of one of these statuses, and with that tag and of that author where they are not null."""

    statuses: tuple[str, ...]
    tag: str | None = None
    author: str | None = None


class Page(NamedTuple):
    """Notes, and the cursor of the next page if there is one."""

    notes: Sequence[View]
    next_cursor: str | None


class NotePages(Protocol):
    """Notes in the order of their creation."""

    async def page(self, chosen: Chosen, after: Position | None, limit: int) -> list[View]:
        """Return at most `limit` summaries, newest created first, from below `after` on. Raises StoreUnavailable."""
        ...


class ListNotes:
    """`GET /notes`."""

    def __init__(self, pages: NotePages) -> None:
        self._pages = pages

    async def __call__(
        self,
        limit: int,
        after: str | None = None,
        status: str = "active",
        tag: str | None = None,
        author: str | None = None,
    ) -> Page:
        """Return at most `limit` notes below the cursor `after`. `status` is a key of STATUSES.

        A note visible when the first page was read is neither skipped nor repeated: the order is by creation, which
        never changes. Raises InvalidCursor, also for a cursor of other filters; StoreUnavailable, Building.
        """
        scope = cursor.scope_of("notes", status, tag, author)
        position = None if after is None else cursor.decode(after, scope)
        notes = await self._pages.page(Chosen(STATUSES[status], tag, author), position, limit + 1)
        if len(notes) <= limit:
            return Page(notes, None)
        notes = notes[:limit]
        last = Position(notes[-1]["created_at"], notes[-1]["_id"])
        return Page(notes, cursor.encode(last, scope))
