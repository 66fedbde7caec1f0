"""Fold received events into documents. Pure: what is stored and what has arrived in, what to write out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from typing import Final, NamedTuple

from notes_query.projections.recorded_event import RecordedEvent
from notes_query.projections.shape import Evolve, Folded

MAX_WAITING: Final = 1_000
"""Events of one note that may wait for a missing version."""

_NOT_BEGUN: Final = -1

Waiting = Mapping[int, RecordedEvent]
"""The waiting events of one note by version."""


class Mark(NamedTuple):
    """Set a document's `parked`, if it still is at that version."""

    note_id: str
    version: int
    parked: bool


@dataclass(slots=True)
class Counts:
    """What became of the events of a batch."""

    applied: int = 0
    ignored: int = 0
    parked: int = 0
    healed: int = 0
    forked: int = 0
    overflowed: int = 0
    dead_lettered: int = 0


def add_counts(total: Counts, counts: Counts) -> None:
    """Add to a total."""
    for counted in fields(Counts):
        setattr(total, counted.name, getattr(total, counted.name) + getattr(counts, counted.name))


@dataclass(slots=True)
class Writes:
    """What a store has to do. `unparks` names waiting events by note id and version."""

    inserts: list[Folded] = field(default_factory=list)
    replaces: list[Folded] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    parks: list[RecordedEvent] = field(default_factory=list)
    forks: list[RecordedEvent] = field(default_factory=list)
    unparks: list[tuple[str, int]] = field(default_factory=list)
    counts: Counts = field(default_factory=Counts)


def fold_batch(
    documents: Mapping[str, Folded],
    waiting: Mapping[str, Waiting],
    events: Iterable[RecordedEvent],
    evolve: Evolve,
) -> Writes:
    """Return the writes that bring these notes' documents, of the shape that `evolve` folds, up to date.

    A snapshot is applied if it is above the document, and what waits at or below it is dropped. Any other event is
    applied if it is its note's next version. An older one is ignored, a later one waits; the same version
    with another event id is a fork, kept for a person to look at.
    """
    received: dict[str, list[RecordedEvent]] = {note_id: [] for note_id in waiting}
    for event in events:
        if (found := received.get(event.note_id)) is None:
            received[event.note_id] = [event]
        else:
            found.append(event)
    writes = Writes()
    for note_id, its_events in received.items():
        note = _Note(documents.get(note_id), waiting.get(note_id, {}), writes, evolve)
        for event in its_events:
            note.take(event)
        note.finish(note_id)
    return writes


def begun_here(events: Iterable[RecordedEvent]) -> set[str]:
    """Return the notes of which these events are the first versions, in order, none twice: most likely new ones."""
    reached: dict[str, int] = {}
    for event in events:
        at = reached.get(event.note_id, 0)
        reached[event.note_id] = event.version if event.version == at + 1 and not event.is_snapshot else _NOT_BEGUN
    return {note_id for note_id, at in reached.items() if at != _NOT_BEGUN}


class _Note:
    """One note on its way through a batch."""

    __slots__ = ("before", "counts", "document", "evolve", "stored", "version", "waiting", "writes")

    def __init__(self, before: Folded | None, stored: Waiting, writes: Writes, evolve: Evolve) -> None:
        self.before = self.document = before
        self.version = 0 if before is None else before["version"]
        self.stored = stored
        self.waiting = dict(stored)
        self.writes = writes
        self.counts = writes.counts
        self.evolve = evolve
        self._apply_waiting()

    def take(self, event: RecordedEvent) -> None:
        if event.is_snapshot:
            self._jump(event)
            return
        ahead = event.version - self.version
        if ahead == 1:
            self._apply(event)
            self._apply_waiting()
        elif ahead > 1:
            self._park(event)
        elif ahead == 0 and self.document is not None and self.document["event_id"] not in (None, event.id):
            self._fork(event)
        else:
            self.counts.ignored += 1

    def _apply(self, event: RecordedEvent) -> None:
        self.document = self.evolve(self.document, event)
        self.version = event.version
        self.counts.applied += 1

    def _jump(self, snapshot: RecordedEvent) -> None:
        if snapshot.version <= self.version:
            self.counts.ignored += 1
            return
        self._apply(snapshot)
        self.waiting = {version: event for version, event in self.waiting.items() if version > self.version}
        self._apply_waiting()

    def _apply_waiting(self) -> None:
        while self.waiting and (event := self.waiting.pop(self.version + 1, None)) is not None:
            self._apply(event)
            self.counts.healed += 1

    def _park(self, event: RecordedEvent) -> None:
        if (same := self.waiting.get(event.version)) is not None:
            if same.id == event.id:
                self.counts.ignored += 1
            else:
                self._fork(event)
            return
        if len(self.waiting) >= MAX_WAITING:
            # The latest of all stays among those that wait: while it does, nobody takes the note for complete.
            self.counts.overflowed += 1
            latest = max(self.waiting)
            if event.version < latest:
                return
            del self.waiting[latest]
        self.waiting[event.version] = event
        self.counts.parked += 1

    def _fork(self, event: RecordedEvent) -> None:
        self.writes.forks.append(event)
        self.counts.forked += 1

    def finish(self, note_id: str) -> None:
        if self.waiting or self.stored:
            self._finish_waiting(note_id)
        parked = bool(self.waiting)
        if self.document is None:
            return
        if self.document is not self.before:
            self.document["parked"] = parked
            (self.writes.inserts if self.before is None else self.writes.replaces).append(self.document)
        elif self.document["parked"] != parked:
            self.writes.marks.append(Mark(note_id, self.version, parked))

    def _finish_waiting(self, note_id: str) -> None:
        for version in [version for version in self.waiting if version <= self.version]:
            del self.waiting[version]
        self.writes.parks += [e for version, e in self.waiting.items() if version not in self.stored]
        self.writes.unparks += [(note_id, version) for version in self.stored if version not in self.waiting]
