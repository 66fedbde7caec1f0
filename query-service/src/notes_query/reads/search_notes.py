"""A page of the notes that contain some words, the best first."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, NamedTuple, Protocol, TypeVar

from notes_query.projecting.ports import View
from notes_query.reads import cursor
from notes_query.reads.cursor import Rank
from notes_query.reads.snippet import snippet_of
from notes_query.reads.words import without_operators, words_of

BODIES: Final = 20
"""Bodies held at one time: they are needed for the snippets alone, and one may have 100,000 characters."""

T = TypeVar("T")


class SearchReader(Protocol):
    """Notes by the words in them, for one search, in a thread of its own."""

    def ranks(self, text: str, after: Rank | None, limit: int) -> list[Rank]:
        """Return the notes with any word of `text`, best score first, then by id, from below `after` on."""
        ...

    def found(self, note_ids: Sequence[str]) -> Mapping[str, View]:
        """Return summaries with bodies as the notes are now, by id; one that is gone is left out."""
        ...


class Searching(Protocol):
    """The share that searches have of this process."""

    async def __call__(self, search: Callable[[SearchReader], T]) -> T:
        """Return what `search` returns. Raises Busy, StoreUnavailable, Building."""
        ...


class Found(NamedTuple):
    """Notes, each with its snippet, and the cursor of the next page if there is one."""

    notes: Sequence[tuple[View, str]]
    next_cursor: str | None


class SearchNotes:
    """`GET /notes/search`."""

    def __init__(self, searching: Searching) -> None:
        self._searching = searching

    async def __call__(self, q: str, limit: int, after: str | None = None) -> Found:
        """Return at most `limit` notes with any word of `q`, below the cursor `after`; none if there is no word in it.

        A note that is edited between two pages may change its rank, and so its page. Raises InvalidCursor, also for a
        cursor of other words; Busy, StoreUnavailable, Building.
        """
        words = words_of(q)
        scope = cursor.scope_of("search", sorted(words))
        rank = None if after is None else cursor.decode_rank(after, scope)
        if not words:
            return Found((), None)

        def search(reader: SearchReader) -> Found:
            ranks = reader.ranks(without_operators(q), rank, limit + 1)
            next_cursor = cursor.encode_rank(ranks[limit - 1], scope) if len(ranks) > limit else None
            return Found(_with_snippets(reader, [rank.note_id for rank in ranks[:limit]], words), next_cursor)

        return await self._searching(search)


def _with_snippets(reader: SearchReader, ids: Sequence[str], words: Sequence[str]) -> list[tuple[View, str]]:
    shown: list[tuple[View, str]] = []
    for begin in range(0, len(ids), BODIES):
        some = ids[begin : begin + BODIES]
        notes = reader.found(some)
        shown += [(_without_body(notes[id_]), snippet_of(notes[id_], words)) for id_ in some if id_ in notes]
    return shown


def _without_body(note: View) -> View:
    return {name: value for name, value in note.items() if name != "body"}
