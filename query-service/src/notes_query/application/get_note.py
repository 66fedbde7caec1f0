"""One note, at least as new as the reader asks."""

from typing import Final, NamedTuple

from notes_query.application.ports import NoteReader, View
from notes_query.application.waiters import Waiters

DEFAULT_WAIT_S: Final = 2.0
MAX_WAIT_S: Final = 10.0


class Answer(NamedTuple):
    """The note as it is, if it is known; `consistency` is what the header of that name says, null for nothing."""

    note: View | None
    consistency: str | None


class GetNote:
    """`GET /notes/{id}`."""

    def __init__(self, reader: NoteReader, waiters: Waiters) -> None:
        self._reader = reader
        self._waiters = waiters

    async def __call__(self, note_id: str, min_version: int | None = None, wait_s: float = DEFAULT_WAIT_S) -> Answer:
        """Return the note, after waiting at most `wait_s` seconds (10 at most) for `min_version`.

        Raises StoreUnavailable.
        """
        if min_version is None:
            note = await self._reader.view(note_id)
        else:
            note = await self._wait(note_id, min_version, min(wait_s, MAX_WAIT_S))
        if note is None:
            parked = await self._reader.has_waiting(note_id)
        else:
            parked = note["parked"]
        if parked:
            return Answer(note, "parked")
        if min_version is None:
            return Answer(note, None)
        return Answer(note, "current" if _holds(note, min_version) else "stale")

    async def _wait(self, note_id: str, min_version: int, wait_s: float) -> View | None:
        with self._waiters.register(note_id, min_version) as waiter:
            note = await self._reader.view(note_id)
            if _holds(note, min_version) or (note is not None and note["status"] == "deleted"):
                return note
            await waiter.wait(wait_s)
        return await self._reader.view(note_id)


def _holds(note: View | None, version: int) -> bool:
    return note is not None and note["version"] >= version
