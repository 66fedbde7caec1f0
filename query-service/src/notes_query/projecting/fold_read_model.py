"""Bring the documents of one folded read model up to date with decoded events."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from math import inf
from time import monotonic
from typing import Final, NamedTuple

import structlog

from notes_chassis.process import in_turns
from notes_contracts import Code
from notes_query.errors import BadDeploy, DocumentRefused, NotesQueryError, Undecodable, reason_of
from notes_query.projecting.counts import Counts, add_counts
from notes_query.projecting.fold_batch import Writes, fold_steps
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.pending import Blocks, Parked, Pending, older_blocks
from notes_query.projecting.project_events import MAX_BUGS, decode_event
from notes_query.projecting.stored_record import DeadLetter, DeadLetterStore
from notes_query.projections.read_model import Evolve, Folded, RecordedEvent

log = structlog.get_logger(__name__)

NOTES_PER_SEARCH: Final = 1_000
"""Notes with waiting events that `heal_next` looks at in one step."""
NOTES_PER_HEAL: Final = 50
"""Notes that are healed in one fold."""
SLICE_BYTES: Final = 1024 * 1024
SLICE_EVENTS: Final = 200
"""Waiting events that are read and folded at once, when their turn has come."""
RELEASE_S: Final = 5.0
"""Seconds that a batch spends on events that waited; healing does the rest, so that no batch outlasts a session."""
_NOT_NEW: Final = -1


def likely_new_notes(events: Iterable[RecordedEvent]) -> set[str]:
    """Return the notes of which these events are the first versions, in order and without repeats."""
    reached: dict[str, int] = {}
    for event in events:
        version = reached.get(event.note_id, 0)
        is_next = event.version == version + 1 and not event.is_snapshot
        reached[event.note_id] = event.version if is_next else _NOT_NEW
    return {note_id for note_id, version in reached.items() if version != _NOT_NEW}


class _Loaded(NamedTuple):
    """What is stored of notes, before a fold: by note id, and blocks of ids by note and number."""

    documents: Mapping[str, Folded]
    pending: Mapping[str, Pending]
    blocks: Blocks


class _Result(NamedTuple):
    """What a fold came to. `ready`: notes whose waiting events may be next, and their documents' version."""

    counts: Counts
    ready: Mapping[str, int]


class FoldReadModel:
    """Load, fold, write, notify.

    `stored` is called with the documents that are stored, also with those that were found stored.
    """

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
        self._given_up_in_a_row = 0
        self._searched_to = ""

    async def __call__(self, events: Sequence[RecordedEvent]) -> Counts:
        """Return what became of the events. Raises StoreUnavailable; the same again is harmless."""
        counts, ready = await self._fold({event.note_id for event in events}, events, likely_new_notes(events))
        await self._release(ready, counts, monotonic() + RELEASE_S)
        return counts

    async def heal(self, note_ids: Collection[str]) -> Counts:
        """Fold the waiting events of these notes that have become the next, or are stored by now."""
        notes, total = list(note_ids), Counts()
        for start in range(0, len(notes), NOTES_PER_HEAL):
            counts, ready = await self._fold(notes[start : start + NOTES_PER_HEAL], ())
            await self._release(ready, counts)
            add_counts(total, counts)
        return total

    async def heal_next(self) -> Counts:
        """Heal those of the next notes with waiting events whose missing version is there. Many calls reach all."""
        healable, self._searched_to = await self.store.healable(self._searched_to, NOTES_PER_SEARCH)
        return await self.heal(healable)

    async def _release(self, ready: Mapping[str, int], counts: Counts, until: float = inf) -> None:
        """Fold what waits and has become next, slice by slice, as if it had come now. Add to `counts`.

        An event that cannot be folded becomes a dead letter itself, not the event that made it the next.
        """
        max_events = SLICE_EVENTS
        while ready and monotonic() < until:
            parked = await self.store.waiting(ready, SLICE_BYTES, max_events)
            if not parked:
                return
            notes = {event.note_id for event in parked}
            try:
                folded = await self._fold(notes, [decode_event(event.record) for event in parked])
            except Exception as error:
                if isinstance(error, NotesQueryError) and not isinstance(error, (Undecodable, DocumentRefused)):
                    raise
                if len(parked) > 1:
                    max_events = len(parked) // 2
                    continue
                await self._give_up(parked[0], error)
                counts.dead_lettered += 1
                max_events = SLICE_EVENTS
                folded = await self._fold(notes, ())
            else:
                self._given_up_in_a_row = 0
            folded.counts.healed = folded.counts.applied
            add_counts(counts, folded.counts)
            moved = {note_id: version for note_id, version in folded.ready.items() if version > ready[note_id]}
            ready = _without(ready, notes) | moved

    async def _give_up(self, parked: Parked, error: Exception) -> None:
        """Make a waiting event a dead letter: its version is missing from now on."""
        self._given_up_in_a_row += 1
        if self._given_up_in_a_row > MAX_BUGS:
            raise BadDeploy(f"more than {MAX_BUGS} waiting events fail, the last one with {reason_of(error)}")
        code, reason = (error.code, str(error)) if isinstance(error, Undecodable) else (Code.INTERNAL, reason_of(error))
        source = {"topic": parked.record.topic, "partition": parked.record.partition, "offset": parked.record.offset}
        log.error("a waiting event cannot be processed", **source, error=reason_of(error))
        await self._dead_letters.add([DeadLetter(parked.record, code, reason, self._clock())])
        await self.store.write(Writes(evicts=[(parked.note_id, parked.version)]))

    async def _fold(
        self, note_ids: Collection[str], events: Sequence[RecordedEvent], likely_new: Collection[str] = ()
    ) -> _Result:
        """Fold events into these notes and store that; again where another process has changed a document meanwhile.

        `likely_new`: notes that are likely to have no document, so it is not looked for. If they have one, as when all
        events are read again, the insert says so. That guess is not made again until a batch shows that it would have
        been right.
        """
        if not note_ids:
            return _Result(Counts(), {})
        unseen = likely_new if self._expects_new else ()
        loaded = await self._load(note_ids, events, unseen)
        writes = await self._fold_loaded(loaded, events)
        taken = await self._store(loaded, writes)
        if likely_new:
            self._expects_new = loaded.documents.keys().isdisjoint(likely_new) and not taken
        if taken:
            return await self._fold_again(taken, events, writes)
        return _Result(writes.counts, writes.ready)

    async def _fold_again(self, taken: Collection[str], events: Sequence[RecordedEvent], writes: Writes) -> _Result:
        """Fold the taken notes until they are stored. Return what became of all events that `writes` was made of."""
        of_notes, ready = writes.of_notes, writes.ready
        while taken:
            events = [event for event in events if event.note_id in taken]
            ready = _without(ready, taken)
            loaded = await self._load(taken, events)
            before, writes = writes, await self._fold_loaded(loaded, events)
            _count_as_before(writes, before, loaded.documents)
            taken = await self._store(loaded, writes)
            of_notes |= writes.of_notes
            ready |= writes.ready
        total = Counts()
        for counts in of_notes.values():
            add_counts(total, counts)
        return _Result(total, ready)

    async def _load(
        self, note_ids: Collection[str], events: Sequence[RecordedEvent], unseen: Collection[str] = ()
    ) -> _Loaded:
        documents, pending = await self.store.load(note_ids, events, unseen)
        if not events:
            pending = dict.fromkeys(note_ids, Pending()) | pending
        older = older_blocks(documents, events)
        return _Loaded(documents, pending, await self.store.blocks(older) if older else {})

    async def _fold_loaded(self, loaded: _Loaded, events: Sequence[RecordedEvent]) -> Writes:
        """Return what has to be written; forks that a person has disregarded are ignored."""
        writes = await self._fold_events(loaded, events)
        if not writes.forks:
            return writes
        # Asked for only now, since there are hardly any forks.
        disregarded = await self.store.disregarded([fork.event for fork in writes.forks])
        if not disregarded:
            return writes
        kept = [event for event in events if event.identity not in disregarded]
        writes = await self._fold_events(loaded, kept)
        for event in events:
            if event.identity in disregarded:
                writes.counts.ignored += 1
                writes.of_notes.setdefault(event.note_id, Counts()).ignored += 1
        return writes

    async def _fold_events(self, loaded: _Loaded, events: Sequence[RecordedEvent]) -> Writes:
        steps = fold_steps(loaded.documents, loaded.pending, events, self._evolve, loaded.blocks)
        return (await in_turns(steps))[-1]

    async def _store(self, loaded: _Loaded, writes: Writes) -> set[str]:
        """Write and notify. Return the notes that were taken: another process has changed their documents."""
        taken = await self.store.write(writes)
        if stored := [each for each in (*writes.inserts, *writes.replaces) if each["_id"] not in taken]:
            self._stored(stored)
        # Readers of unchanged documents wait as well, if MongoDB's answer to an earlier write was lost.
        if unchanged := [document for note_id, document in loaded.documents.items() if note_id not in writes.before]:
            self._stored(unchanged)
        for fork in writes.forks:
            self._warn("fork", fork.event)
        for event in writes.parks:
            self._warn("parked", event)
        return taken

    def _warn(self, log_event: str, event: RecordedEvent) -> None:
        fields = {"note_id": event.note_id, "version": event.version, "event_id": event.id}
        log.warning(log_event, read_model=self.name, **fields)


def _without(versions: Mapping[str, int], note_ids: Collection[str]) -> dict[str, int]:
    return {note_id: version for note_id, version in versions.items() if note_id not in note_ids}


def _count_as_before(writes: Writes, before: Writes, documents: Mapping[str, Folded]) -> None:
    """Count the events of documents that are stored as they were folded `before` as they were counted then.

    MongoDB does not say which replace of several has changed nothing, so the others are folded again as well. What
    these have stored would count as repeats now.
    """
    for document in before.replaces:
        note_id = document["_id"]
        found = documents.get(note_id)
        if found is not None and all(found[name] == document[name] for name in ("version", "event_id")):
            writes.of_notes[note_id] = before.of_notes[note_id]
