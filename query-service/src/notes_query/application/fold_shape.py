"""Bring the documents of one folded shape up to date with decoded events."""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime
from typing import Any

import structlog

from notes_query.application.decode_event import decode_event
from notes_query.application.errors import Undecodable
from notes_query.application.fold_batch import Counts, Writes, add_counts, begun_here, fold_batch
from notes_query.application.ports import DeadLetter, DeadLetterStore, FoldStore
from notes_query.projections.recorded_event import RecordedEvent
from notes_query.projections.shape import Evolve, Folded

log = structlog.get_logger(__name__)


def _nobody(_: Sequence[Folded]) -> None:
    """Be told for nothing."""


class FoldShape:
    """Load, fold, write, tell what is stored. `stored` is called with the documents of every write."""

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
        self._expects_new = True

    async def __call__(self, events: Sequence[RecordedEvent]) -> Counts:
        """Return what became of the events. Raises StoreUnavailable; the same again is harmless."""
        new = begun_here(events)
        return await self._fold({event.note_id for event in events}, events, new)

    async def heal(self, note_ids: Collection[str]) -> Counts:
        """Look again at notes with waiting events: some may have become the next, or be stored by now."""
        return await self._fold(note_ids, ())

    async def _fold(
        self, note_ids: Collection[str], events: Sequence[RecordedEvent], new: Collection[str] = ()
    ) -> Counts:
        """Fold events into these notes. `new` are likely to have no document, so it is not looked for.

        If they do have one, as when all events are read again, the insert says so, and no such guess is made until a
        batch shows that it would have been right.
        """
        if not note_ids:
            return Counts()
        unseen = new if self._expects_new else ()
        documents, parked = await self.store.load(note_ids, unseen)
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
        taken = await self.store.write(writes)
        self._tell(writes, taken)
        if new:
            self._expects_new = documents.keys().isdisjoint(new) and not taken
        if taken:
            again = [event for event in events if event.note_id in taken]
            writes.counts.applied -= sum(event.note_id in unseen for event in again)
            add_counts(writes.counts, await self._fold(taken, again))
        return writes.counts

    def _tell(self, writes: Writes, taken: Collection[str]) -> None:
        if stored := [*(one for one in writes.inserts if one["_id"] not in taken), *writes.replaces]:
            self._stored(stored)
        for what, events in (("fork", writes.forks), ("parked", writes.parks)):
            for event in events:
                told: dict[str, Any] = {"note_id": event.note_id, "version": event.version, "event_id": event.id}
                log.warning(what, shape=self.name, **told)
