"""Bring the note documents up to date with a batch of records."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

import structlog

from notes_query.application.decode_event import decode_event
from notes_query.application.errors import Undecodable
from notes_query.application.fold_batch import Counts, Writes, fold_batch
from notes_query.application.ports import DeadLetter, DeadLetterStore, NoteStore
from notes_query.application.waiters import Waiters
from notes_query.projections.recorded_event import Record, RecordedEvent

log = structlog.get_logger(__name__)


class ProjectEvents:
    """Decode, load once, fold, write once, wake who waits. Nothing is acknowledged here."""

    def __init__(
        self,
        notes: NoteStore,
        dead_letters: DeadLetterStore,
        waiters: Waiters,
        clock: Callable[[], datetime],
    ) -> None:
        self._notes = notes
        self._dead_letters = dead_letters
        self._waiters = waiters
        self._clock = clock

    async def __call__(self, records: Sequence[Record]) -> Counts:
        """Return what became of the records. Raises StoreUnavailable; the same batch again is harmless."""
        letters: list[DeadLetter] = []
        events = [event for record in records if (event := self._decoded(record, letters)) is not None]
        await self._give_up(letters)
        counts = await self._project({event.note_id for event in events}, events)
        counts.dead_lettered += len(letters)
        return counts

    async def heal(self, note_ids: Collection[str]) -> Counts:
        """Look again at notes with waiting events: some may have become the next, or be stored by now."""
        return await self._project(note_ids, ())

    async def _project(self, note_ids: Collection[str], events: Sequence[RecordedEvent]) -> Counts:
        if not note_ids:
            return Counts()
        documents, parked = await self._notes.load(note_ids)
        waiting: dict[str, dict[int, RecordedEvent]] = {}
        letters: list[DeadLetter] = []  # readable when they were parked, but not for this version of the service
        unreadable: list[tuple[str, int]] = []
        for note_id, version, record in parked:
            if (event := self._decoded(record, letters)) is not None:
                waiting.setdefault(note_id, {})[version] = event
            else:
                unreadable.append((note_id, version))
        await self._give_up(letters)
        writes = fold_batch(documents, waiting, events)
        writes.unparks += unreadable
        writes.counts.dead_lettered = len(letters)
        await self._notes.write(writes)
        self._tell(writes)
        return writes.counts

    def _decoded(self, record: Record, letters: list[DeadLetter]) -> RecordedEvent | None:
        try:
            return decode_event(record)
        except Undecodable as error:
            letters.append(DeadLetter(record, error.code, str(error), self._clock()))
            return None

    async def _give_up(self, letters: Sequence[DeadLetter]) -> None:
        if letters:
            await self._dead_letters.add(letters)

    def _tell(self, writes: Writes) -> None:
        if self._waiters:
            for document in (*writes.inserts, *writes.replaces):
                self._waiters.wake(document["_id"], document["version"])
        for event in writes.forks:
            log.error("fork", note_id=event.note_id, version=event.version, event_id=event.id)
        for event in writes.parks:
            log.warning("parked", note_id=event.note_id, version=event.version, event_id=event.id)
