"""Bring the documents of one folded shape up to date with decoded events."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import structlog

from notes_query.application.decode_event import decode_event
from notes_query.application.errors import Undecodable
from notes_query.application.fold_batch import Counts, Writes, fold_batch
from notes_query.application.ports import DeadLetter, DeadLetterStore, FoldStore
from notes_query.projections.recorded_event import RecordedEvent
from notes_query.projections.shape import Evolve, Folded

log = structlog.get_logger(__name__)


def _nobody(_: Sequence[Folded]) -> None:
    """Be told for nothing."""


class FoldShape:
    """Load once, fold, write once, tell what is stored. `stored` is called with the documents of every write."""

    def __init__(
        self,
        name: str,
        evolve: Evolve,
        store: FoldStore,
        dead_letters: DeadLetterStore,
        clock: Callable[[], datetime],
        *,
        stored: Callable[[Sequence[Folded]], None] = _nobody,
    ) -> None:
        self.name = name
        self.store = store
        self._evolve = evolve
        self._dead_letters = dead_letters
        self._clock = clock
        self._stored = stored

    async def __call__(self, events: Sequence[RecordedEvent]) -> Counts:
        """Return what became of the events. Raises StoreUnavailable; the same again is harmless."""
        return await self._fold({event.note_id for event in events}, events)

    async def heal(self, note_ids: Collection[str]) -> Counts:
        """Look again at notes with waiting events: some may have become the next, or be stored by now."""
        return await self._fold(note_ids, ())

    async def _fold(self, note_ids: Collection[str], events: Sequence[RecordedEvent]) -> Counts:
        if not note_ids:
            return Counts()
        documents, parked = await self.store.load(note_ids)
        waiting: dict[str, dict[int, RecordedEvent]] = {}
        letters: list[DeadLetter] = []  # readable when they were parked, but not for this version of the service
        unreadable: list[tuple[str, int]] = []
        for note_id, version, record in parked:
            try:
                waiting.setdefault(note_id, {})[version] = decode_event(record)
            except Undecodable as error:
                letters.append(DeadLetter(record, error.code, str(error), self._clock()))
                unreadable.append((note_id, version))
        if letters:
            await self._dead_letters.add(letters)
        writes = fold_batch(documents, waiting, events, self._evolve)
        writes.unparks += unreadable
        writes.counts.dead_lettered = len(letters)
        await self.store.write(writes)
        self._tell(writes)
        return writes.counts

    def _tell(self, writes: Writes) -> None:
        if writes.inserts or writes.replaces:
            self._stored([*writes.inserts, *writes.replaces])
        for what, events in (("fork", writes.forks), ("parked", writes.parks)):
            for event in events:
                told: dict[str, Any] = {"note_id": event.note_id, "version": event.version, "event_id": event.id}
                log.warning(what, shape=self.name, **told)
