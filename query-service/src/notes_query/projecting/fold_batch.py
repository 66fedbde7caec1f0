"""Fold received events into documents. Pure: stored documents and events go in, what has to be written comes out."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from notes_query.projecting.counts import Counts, add_counts
from notes_query.projecting.pending import Blocks, Fork, Pending, ids_dropped, is_stopped
from notes_query.projections.folding import UNKNOWN, block_of, blocks_left, filled, id_at, id_in, ids_of, packed, shed
from notes_query.projections.read_model import Evolve, Folded, RecordedEvent

MAX_WAITING: Final = 1_000
"""Events of one note that may wait for a missing version."""
MAX_FORKS: Final = 1_000
"""Forks of one note that are kept; the others are counted."""

_NOTHING: Final = Pending()


class Mark(NamedTuple):
    """Sets a document's `parked` if the document is still at that version."""

    note_id: str
    version: int
    parked: bool


@dataclass(slots=True)
class Writes:
    """What a store has to write, and what became of the events.

    `before`: the documents that `replaces` replace. `parks`: events that have to wait. `unparks`: notes and the version
    up to which no event waits any more. `evicts`: note and version of single events that wait no more. `blocks`: ids
    that documents shed, by note and block. `ready`: notes whose waiting events may be the next, and their version.
    """

    inserts: list[Folded] = field(default_factory=list)
    replaces: list[Folded] = field(default_factory=list)
    before: dict[str, Folded] = field(default_factory=dict)
    marks: list[Mark] = field(default_factory=list)
    parks: list[RecordedEvent] = field(default_factory=list)
    forks: list[Fork] = field(default_factory=list)
    unparks: list[tuple[str, int]] = field(default_factory=list)
    evicts: list[tuple[str, int]] = field(default_factory=list)
    blocks: list[tuple[str, int, bytes]] = field(default_factory=list)
    ready: dict[str, int] = field(default_factory=dict)
    counts: Counts = field(default_factory=Counts)
    of_notes: dict[str, Counts] = field(default_factory=dict)
    """The same counts for each note."""


def fold_batch(
    documents: Mapping[str, Folded],
    pending: Mapping[str, Pending],
    events: Iterable[RecordedEvent],
    evolve: Evolve,
    blocks: Blocks | None = None,
) -> Writes:
    """Return the writes that bring these notes' documents, of the read model that `evolve` folds, up to date.

    A snapshot is applied if it is above the document, and what waits at or below it is dropped. Any other event is
    applied if it is its note's next version; a later one waits. One that is not above the document is a repeat, or a
    fork if another event made its version. A fork stops the folding of its note until a snapshot above it comes.
    """
    *_, writes = fold_steps(documents, pending, events, evolve, blocks)
    return writes


def fold_steps(
    documents: Mapping[str, Folded],
    pending: Mapping[str, Pending],
    events: Iterable[RecordedEvent],
    evolve: Evolve,
    blocks: Blocks | None = None,
) -> Iterator[Writes]:
    """Yield what `fold_batch` returns, after each event as far as it is known.

    Between two events other tasks can have their turn: counting the words of eighty large bodies takes 35 ms.
    """
    received: dict[str, list[RecordedEvent]] = {note_id: [] for note_id in pending}
    for event in events:
        its_events = received.get(event.note_id)
        if its_events is None:
            received[event.note_id] = [event]
        else:
            its_events.append(event)
    writes = Writes()
    for note_id, its_events in received.items():
        if len(its_events) == 1 and its_events[0].version == 1 and note_id not in documents and note_id not in pending:
            # Nearly all notes of a batch of creates. For them the rest of this loop takes as long as the fold itself.
            writes.inserts.append(evolve(None, its_events[0]))
            writes.of_notes[note_id] = Counts(applied=1)
            writes.counts.applied += 1
            yield writes
            continue
        note = _Note(documents.get(note_id), pending.get(note_id, _NOTHING), writes, evolve, blocks or {})
        for event in its_events:
            note.take(event)
            yield writes
        note.finish(note_id)
    yield writes


class _Note:
    """One note on its way through a batch. `parks`: its events of this batch that wait, by version."""

    __slots__ = ("before", "blocks", "counts", "document", "evolve", "forks", "parks", "pending", "version", "writes")

    def __init__(self, before: Folded | None, pending: Pending, writes: Writes, evolve: Evolve, blocks: Blocks) -> None:
        self.before = self.document = before
        self.version = 0 if before is None else before["version"]
        self.pending = pending
        self.forks = dict(pending.forks)
        self.parks: dict[int, RecordedEvent] = {}
        self.writes = writes
        self.counts = Counts()
        self.evolve = evolve
        self.blocks = blocks

    def take(self, event: RecordedEvent) -> None:
        if event.is_snapshot:
            self._jump(event)
            return
        ahead = event.version - self.version
        if ahead <= 0:
            self._take_repeat_or_fork(event)
        elif ahead > 1 or self._stopped() or self._is_contested(event):
            self._park(event)
        else:
            self._apply(event)
            self._apply_parked()

    def _stopped(self) -> bool:
        if not self.forks:
            return False
        snapshot = 0 if self.document is None else self.document.get("snapshot", 0)
        forks = ((version, found_at) for (version, _), found_at in self.forks.items())
        return is_stopped(forks, self.version, snapshot)

    def _is_contested(self, event: RecordedEvent) -> bool:
        """Return whether another event of the same version waits for its turn."""
        return self.pending.ids.get(event.version, event.id) != event.id

    def _apply(self, event: RecordedEvent) -> None:
        self.document = self.evolve(self.document, event)
        self.version = event.version
        self.counts.applied += 1

    def _jump(self, snapshot: RecordedEvent) -> None:
        if snapshot.version <= self.version:
            self.counts.ignored += 1
            return
        waits = {**self.pending.ids, **{version: event.id for version, event in self.parks.items()}}
        waited = ids_dropped(waits, self.version, snapshot)
        ids = b"" if self.document is None else ids_of(self.document)
        blocks = blocks_left(ids, self.version, snapshot.version, waited)
        self.writes.blocks += [(snapshot.note_id, number, block) for number, block in blocks]
        self._apply(snapshot)
        if self.document is not None and waited:
            self.document["ids"] = filled(self.document["ids"], self.version, waited)
        self.parks = {version: event for version, event in self.parks.items() if version > self.version}
        self._apply_parked()

    def _apply_parked(self) -> None:
        while self.version + 1 in self.parks and not self._stopped():
            self._apply(self.parks.pop(self.version + 1))
            self.counts.healed += 1

    def _take_repeat_or_fork(self, event: RecordedEvent) -> None:
        document = self.document
        known = None if document is None else id_at(ids_of(document), self.version, event.version)
        if known is None:
            known = id_in(self.blocks.get((event.note_id, block_of(event.version)), b""), event.version)
        if known in (packed(event.id), UNKNOWN):
            self.counts.ignored += 1
        else:
            self._fork(event)

    def _park(self, event: RecordedEvent) -> None:
        parked = self.parks.get(event.version)
        waits = self.pending.ids.get(event.version) if parked is None else parked.id
        if waits is not None:
            if waits == event.id:
                self.counts.ignored += 1
            else:
                self._fork(event)
            return
        if self.pending.events + len(self.parks) >= MAX_WAITING:
            # The event of the highest version goes on waiting, so that nobody takes the note for complete.
            self.counts.overflowed += 1
            latest = max(self.pending.last, *self.parks, 0)
            if event.version < latest:
                return
            if self.parks.pop(latest, None) is None:
                self.writes.evicts.append((event.note_id, latest))
        self.parks[event.version] = event
        self.counts.parked += 1

    def _fork(self, event: RecordedEvent) -> None:
        # What stands in for an event is not another event of its version. Forks are repeated as any event is.
        if event.stands_in or (event.version, event.id) in self.forks:
            self.counts.ignored += 1
            return
        self.counts.forked += 1
        if len(self.forks) < MAX_FORKS:
            self.writes.forks.append(Fork(event, self.version))
            self.forks[event.version, event.id] = self.version

    def finish(self, note_id: str) -> None:
        self.writes.of_notes[note_id] = self.counts
        add_counts(self.writes.counts, self.counts)
        parked = False
        if self.pending.events or self.forks or self.parks:
            parked = self._finish_waiting(note_id)
        if self.document is None:
            return
        if self.document is not self.before:
            self._finish_document(self.document, parked=parked)
        elif self.document["parked"] != parked:
            self.writes.marks.append(Mark(note_id, self.version, parked))

    def _finish_document(self, document: Folded, *, parked: bool) -> None:
        note_id = document["_id"]
        document["parked"] = parked
        document["ids"], blocks = shed(document["ids"], self.version)
        self.writes.blocks += [(note_id, number, ids) for number, ids in blocks]
        if self.before is None:
            self.writes.inserts.append(document)
        else:
            self.writes.replaces.append(document)
            self.writes.before[note_id] = self.before

    def _finish_waiting(self, note_id: str) -> bool:
        """Write down what becomes of the events that wait. Return whether any go on waiting, or folding has stopped."""
        stopped = self._stopped()
        pending = self.pending
        self.writes.parks += [event for version, event in self.parks.items() if version > self.version]
        if pending.events and pending.first <= self.version:
            self.writes.unparks.append((note_id, self.version))
        if pending.events and pending.first <= self.version + 1 and not stopped:
            self.writes.ready[note_id] = self.version
        return stopped or pending.last > self.version or any(version > self.version for version in self.parks)
