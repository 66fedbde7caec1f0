"""The whole body of one note."""

from typing import Protocol

from notes_query.projecting.ports import View
from notes_query.reads.get_note import Answer


class BodyReader(Protocol):
    """Bodies by note id."""

    async def body(self, note_id: str) -> View | None:
        """Return id, version, status, `parked` and body. Raises StoreUnavailable, Building."""
        ...

    async def has_waiting(self, note_id: str) -> bool:
        """Say whether a version of that note is missing. Raises StoreUnavailable, Building."""
        ...


class GetBody:
    """`GET /notes/{id}/body`."""

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader

    async def __call__(self, note_id: str) -> Answer:
        """Return the note's body, whatever its status. Raises StoreUnavailable, Building."""
        note = await self._reader.body(note_id)
        parked = await self._reader.has_waiting(note_id) if note is None else note["parked"]
        return Answer(note, "parked" if parked else None)
