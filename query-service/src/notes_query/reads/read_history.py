"""The versions of one note."""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from notes_query.projecting.ports import View
from notes_query.reads.get_note import Answer, GetNote


class HistoryReader(Protocol):
    """The entries of a note's history."""

    async def entries(self, note_id: str, after_version: int, limit: int) -> list[View]:
        """Return at most `limit` entries above that version, in order. Raises StoreUnavailable, Building."""
        ...


class History(NamedTuple):
    """A page of entries; `next_after_version` is null on the last one. `answer` is the note itself."""

    answer: Answer
    entries: Sequence[View]
    next_after_version: int | None


class ReadHistory:
    """`GET /notes/{id}/history`."""

    def __init__(self, get_note: GetNote, history: HistoryReader) -> None:
        self._get_note = get_note
        self._history = history

    async def __call__(self, note_id: str, limit: int, after_version: int = 0) -> History:
        """Return at most `limit` entries above `after_version`. Raises StoreUnavailable, Building."""
        answer = await self._get_note(note_id)
        if answer.note is None or answer.note["status"] == "deleted":
            return History(answer, (), None)
        entries = await self._history.entries(note_id, after_version, limit + 1)
        if len(entries) <= limit:
            return History(answer, entries, None)
        return History(answer, entries[:limit], entries[limit - 1]["version"])
