"""A page of the notes that contain some words, the best first."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

from notes_query.application import cursor
from notes_query.application.cursor import Rank
from notes_query.application.ports import View
from notes_query.application.snippet import snippet_of
from notes_query.application.words import without_operators, words_of

BODIES: Final = 20
"""Bodies held at one time: they are needed for the snippets alone, and one may have 100,000 characters."""


class SearchReader(Protocol):
    """Notes by the words in them."""

    async def ranks(self, text: str, after: Rank | None, limit: int) -> list[Rank]:
        """Return the notes with any word of `text`, best score first, then by id, from below `after` on.

        Raises StoreUnavailable, Building.
        """
        ...

    async def found(self, note_ids: Sequence[str]) -> Mapping[str, View]:
        """Return summaries with bodies, by id; one that is gone is left out. Raises StoreUnavailable, Building."""
        ...


class Found(NamedTuple):
    """Notes, each with its snippet, and the cursor of the next page if there is one."""

    notes: Sequence[tuple[View, str]]
    next_cursor: str | None


class SearchNotes:
    """`GET /notes/search`."""

    def __init__(self, reader: SearchReader) -> None:
        self._reader = reader

    async def __call__(self, q: str, limit: int, after: str | None = None) -> Found:
        """Return at most `limit` notes with any word of `q`, below the cursor `after`; none if there is no word in it.

        A note that is edited between two pages may change its rank, and so its page. Raises InvalidCursor, also for a
        cursor of other words; StoreUnavailable, Building.
        """
        words = words_of(q)
        scope = cursor.scope_of("search", sorted(words))
        rank = None if after is None else cursor.decode_rank(after, scope)
        if not words:
            return Found((), None)
        ranks = await self._reader.ranks(without_operators(q), rank, limit + 1)
        next_cursor = cursor.encode_rank(ranks[limit - 1], scope) if len(ranks) > limit else None
        ids = [rank.note_id for rank in ranks[:limit]]
        found: list[tuple[View, str]] = []
        for begin in range(0, len(ids), BODIES):
            found += await self._found(ids[begin : begin + BODIES], words)
        return Found(found, next_cursor)

    async def _found(self, ids: Sequence[str], words: Sequence[str]) -> list[tuple[View, str]]:
        notes = await self._reader.found(ids)
        present = [notes[id_] for id_ in ids if id_ in notes]
        # The longest bodies take a while to look through, and others want to be answered.
        snippets = await asyncio.to_thread(lambda: [snippet_of(note, words) for note in present])
        return [(_without_body(note), snippet) for note, snippet in zip(present, snippets, strict=True)]


def _without_body(note: View) -> View:
    return {name: value for name, value in note.items() if name != "body"}
