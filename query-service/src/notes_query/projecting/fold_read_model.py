"""Bring the documents of one folded read model up to date with decoded events."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from math import inf
from time import monotonic
from typing import Any, Final

import structlog

from notes_chassis.process import in_turns
from notes_contracts import Code
from notes_query.errors import BadDeploy, DocumentRefused, NotesQueryError, Undecodable, reason_of
from notes_query.projecting.fold_batch import Counts, Writes, add_counts, fold_steps
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.pending import Parked, Pending, older_blocks
from notes_query.projecting.project_events import MAX_BUGS, decode_event
from notes_query.projecting.stored_record import DeadLetter, DeadLetterStore
from notes_query.projections.read_model import Evolve, Folded, RecordedEvent

log = structlog.get_logger(__name__)

LOOKED_AT: Final = 1_000
HEALED_AT_ONCE: Final = 50
SLICE_BYTES: Final = 1024 * 1024
SLICE_EVENTS: Final = 200
"""Waiting events that are read and folded at once, once their turn has come."""
RELEASE_S: Final = 5.0
"""Seconds that a batch spends on events that waited; healing does the rest, so that no batch outlasts a session."""
_NOT_BEGUN: Final = -1


def begun_here(events: Iterable[RecordedEvent]) -> set[str]:
    """Return the notes of which these events are the first versions, in order, none twice: most likely new ones."""
    reached: dict[str, int] = {}
    for event in events:
        at = reached.get(event.note_id, 0)
        reached[event.note_id] = event.version if event.version == at + 1 and not event.is_snapshot else _NOT_BEGUN
    return {note_id for note_id, at in reached.items() if at != _NOT_BEGUN}


class FoldReadModel:
    """Load, fold, write, tell. `stored` is called with the documents that are stored, also with those found so."""

    def __init__(
        self,
        name: str,
        evolve: Evolve,
        store: FoldStore,
        dead_letters: DeadLetterStore,
        clock: Callable[[], datetime],
        *,
        stored: Callable[[Sequence[Folded]], None] = lambda _: None,
    ) -> None:
        self.name = name
        self.store = store
        self._evolve = evolve
        self._dead_letters = dead_letters
        self._clock = clock
        self._stored = stored
        self._expects_new = True
        self._given_up = 0
        self._looked_at = ""

    async def __call__(self, events: Sequence[RecordedEvent]) -> Counts:
        """Return what became of the events. Raises StoreUnavailable; the same again is harmless."""
        folded = await self._fold({event.note_id for event in events}, events, begun_here(events))
        await self._release(folded.ready, folded.counts, monotonic() + RELEASE_S)
        return folded.counts

    async def heal(self, note_ids: Collection[str]) -> Counts:
        """Look again at notes with waiting events: some may have become the next, or be stored by now."""
        notes, total = list(note_ids), Counts()
        for start in range(0, len(notes), HEALED_AT_ONCE):
            folded = await self._fold(notes[start : start + HEALED_AT_ONCE], ())
            await self._release(folded.ready, folded.counts)
            add_counts(total, folded.counts)
        return total

    async def heal_next(self) -> Counts:
        """Heal those of the next notes with waiting events whose missing version is there: by and by, all of them."""
        ready, self._looked_at = await self.store.healable(self._looked_at, LOOKED_AT)
        return await self.heal(ready)

    async def _release(self, ready: Mapping[str, int], counts: Counts, until: float = inf) -> None:
        """Fold what waits and has become next, slice by slice, as if it had come now.

        An event on which that fails is a dead letter of its own, whatever event has made it the next.
        """
        at_most = SLICE_EVENTS
        while ready and monotonic() < until and (parked := await self.store.waiting(ready, SLICE_BYTES, at_most)):
            notes = {one.note_id for one in parked}
            try:
                folded = await self._fold(notes, [decode_event(one.record) for one in parked])
            except Exception as error:
                if isinstance(error, NotesQueryError) and not isinstance(error, (Undecodable, DocumentRefused)):
                    raise
                if (at_most := len(parked) // 2) > 0:
                    continue
                await self._give_up(parked[0], error)
                counts.dead_lettered += 1
                at_most = SLICE_EVENTS
                folded = await self._fold(notes, ())
            else:
                self._given_up = 0
            folded.counts.healed = folded.counts.applied
            add_counts(counts, folded.counts)
            moved = {note_id: at for note_id, at in folded.ready.items() if at > ready[note_id]}
            ready = {note_id: at for note_id, at in ready.items() if note_id not in notes} | moved

    async def _give_up(self, parked: Parked, error: Exception) -> None:
        """Make a waiting event a dead letter: its version is missing from now on."""
        self._given_up += 1
        if self._given_up > MAX_BUGS:
            raise BadDeploy(f"more than {MAX_BUGS} waiting events fail, the last one with {reason_of(error)}")
        code, reason = (error.code, str(error)) if isinstance(error, Undecodable) else (Code.INTERNAL, reason_of(error))
        where = {"topic": parked.record.topic, "partition": parked.record.partition, "offset": parked.record.offset}
        log.error("a waiting event cannot be processed", **where, error=reason_of(error))
        await self._dead_letters.add([DeadLetter(parked.record, code, reason, self._clock())])
        await self.store.write(Writes(evicts=[(parked.note_id, parked.version)]))

    async def _fold(
        self,
        note_ids: Collection[str],
        events: Sequence[RecordedEvent],
        new: Collection[str] = (),
        first: Writes | None = None,
    ) -> Writes:
        """Fold events into these notes, and write that. `new` are likely to have no document, so it is not looked for.

        If they do have one, as when all events are read again, the insert says so, and no such guess is made until a
        batch shows that it would have been right. `first`: what the same events came to before, where not all of it
        could be stored.
        """
        if not note_ids:
            return Writes()
        unseen = new if self._expects_new else ()
        documents, pending = await self.store.load(note_ids, events, unseen)
        if not events:
            pending = dict.fromkeys(note_ids, Pending()) | pending
        older = older_blocks(documents, events)
        blocks = await self.store.blocks(older) if older else {}
        writes = (await in_turns(fold_steps(documents, pending, events, self._evolve, blocks)))[-1]
        if writes.forks and (disregarded := await self.store.disregarded([fork.event for fork in writes.forks])):
            # A person has decided that these are none; looked for only now, since there are hardly any forks.
            kept = [event for event in events if event.identity not in disregarded]
            writes = (await in_turns(fold_steps(documents, pending, kept, self._evolve, blocks)))[-1]
            for event in events:
                if event.identity in disregarded:
                    writes.counts.ignored += 1
                    writes.of_notes.setdefault(event.note_id, Counts()).ignored += 1
        if first is not None:
            _count_as_first(writes, first, documents)
        taken = await self.store.write(writes)
        self._tell(writes, taken)
        # Told as well: MongoDB's answer to the write that stored them may have been lost, and readers wait.
        if there := [document for note_id, document in documents.items() if note_id not in writes.before]:
            self._stored(there)
        if new:
            self._expects_new = documents.keys().isdisjoint(new) and not taken
        if taken:
            await self._fold_again(taken, events, writes)
        return writes

    async def _fold_again(self, taken: Collection[str], events: Sequence[RecordedEvent], writes: Writes) -> None:
        """Fold these notes' events again; `writes` has been done but for them, and is to say what became of all."""
        folded = await self._fold(taken, [event for event in events if event.note_id in taken], first=writes)
        for note_id in taken:
            add_counts(writes.counts, writes.of_notes[note_id], -1)
        add_counts(writes.counts, folded.counts)
        writes.of_notes |= folded.of_notes
        writes.ready = {note_id: at for note_id, at in writes.ready.items() if note_id not in taken} | folded.ready

    def _tell(self, writes: Writes, taken: Collection[str]) -> None:
        if stored := [one for one in (*writes.inserts, *writes.replaces) if one["_id"] not in taken]:
            self._stored(stored)
        for what, events in (("fork", [fork.event for fork in writes.forks]), ("parked", writes.parks)):
            for event in events:
                told: dict[str, Any] = {"note_id": event.note_id, "version": event.version, "event_id": event.id}
                log.warning(what, read_model=self.name, **told)


def _count_as_first(writes: Writes, first: Writes, documents: Mapping[str, Folded]) -> None:
    """Count the events of notes that are stored as they were folded at first as they were counted then.

    Where one replace of many changes nothing, it is not told which. Those that did are repeats now, of ourselves.
    """
    for document in first.replaces:
        note_id = document["_id"]
        found = documents.get(note_id)
        if found is not None and all(found[name] == document[name] for name in ("version", "event_id")):
            add_counts(writes.counts, writes.of_notes.get(note_id, Counts()), -1)
            add_counts(writes.counts, first.of_notes[note_id])
            writes.of_notes[note_id] = first.of_notes[note_id]
