"""One note, at least as new as the reader asks."""

from typing import Final, NamedTuple, Protocol

from notes_query.errors import WriteStoreUnavailable
from notes_query.projecting.ports import View
from notes_query.projecting.waiters import Waiters

DEFAULT_WAIT_S: Final = 2.0
MAX_WAIT_S: Final = 10.0


class Answer(NamedTuple):
    """The note as it is, if it is known; `consistency` is what the header of that name says, null for nothing."""

    note: View | None
    consistency: str | None


class NoteReader(Protocol):
    """Notes by id."""

    async def view(self, note_id: str) -> View | None:
        """Return the note, whatever its status. Raises StoreUnavailable, Building."""
        ...

    async def has_waiting(self, note_id: str) -> bool:
        """Say whether a version of that note is missing. Raises StoreUnavailable, Building."""
        ...


class WriteStore(Protocol):
    """The other service, which decides what a note is."""

    async def view(self, note_id: str) -> View | None:
        """Return the note as it is there; of a deleted one the status alone. Raises WriteStoreUnavailable."""
        ...


class GetNote:
    """`GET /notes/{id}`. `together` reads for those who wait; without it, `reader` does."""

    def __init__(
        self,
        reader: NoteReader,
        waiters: Waiters,
        write_store: WriteStore | None = None,
        together: NoteReader | None = None,
    ) -> None:
        self._reader = reader
        self._together = together or reader
        self._waiters = waiters
        self._write_store = write_store

    async def __call__(
        self,
        note_id: str,
        min_version: int | None = None,
        wait_s: float = DEFAULT_WAIT_S,
        ask_write_store: bool = False,  # noqa: FBT001, FBT002 - one of four, named by whoever sets it
    ) -> Answer:
        """Return the note, after waiting at most `wait_s` seconds (10 at most) for `min_version`.

        If it is not there by then, `ask_write_store` fetches this one note from where it was written.
        Raises StoreUnavailable, Building.
        """
        if min_version is None:
            note = await self._reader.view(note_id)
            return Answer(note, "parked" if await _is_parked(self._reader, note_id, note) else None)
        note = await self._wait(note_id, min_version, min(wait_s, MAX_WAIT_S))
        current = _holds(note, min_version)
        if ask_write_store and not current and not _deleted(note):
            written = await self._written(note_id, note)
            if written is not None:
                return written
        if await _is_parked(self._together, note_id, note):
            return Answer(note, "parked")
        return Answer(note, "current" if current else "stale")

    async def _wait(self, note_id: str, min_version: int, wait_s: float) -> View | None:
        with self._waiters.register(note_id, min_version) as waiter:
            note = await self._together.view(note_id)
            if _holds(note, min_version) or _deleted(note):
                return note
            await waiter.wait(wait_s)
        return await self._together.view(note_id)

    async def _written(self, note_id: str, known: View | None) -> Answer | None:
        """Return the write store's answer, null if there is none or if it is behind what is known here."""
        if self._write_store is None:
            return None
        try:
            written = await self._write_store.view(note_id)
        except WriteStoreUnavailable:
            return None
        if known is not None and not _deleted(written) and not _holds(written, known["version"]):
            return None
        return Answer(written, "write-store")


async def _is_parked(reader: NoteReader, note_id: str, note: View | None) -> bool:
    return await reader.has_waiting(note_id) if note is None else bool(note["parked"])


def _holds(note: View | None, version: int) -> bool:
    return note is not None and note["version"] >= version


def _deleted(note: View | None) -> bool:
    return note is not None and note["status"] == "deleted"
