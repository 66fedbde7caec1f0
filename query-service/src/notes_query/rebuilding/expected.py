"""What the documents of a read model have to be, folded in memory from the events."""

from collections.abc import Callable, Mapping, Sequence
from itertools import count, takewhile
from typing import Any

from notes_query.projecting.fold_batch import fold_batch
from notes_query.projecting.pending import Pending, stops_of
from notes_query.projections.read_model import Entry, Evolve, ReadModel, RecordedEvent, entry_id

Suspects = Mapping[str, Mapping[str, Any] | None]
"""Documents by id that seem to differ, as they are stored."""


class FoldedDocuments:
    """One document a note, by id. `waiting`: the events behind a missing version, by note and version."""

    def __init__(self, evolve: Evolve) -> None:
        self.documents: dict[str, Any] = {}
        self.waiting: dict[str, dict[int, RecordedEvent]] = {}
        self._evolve = evolve
        self._forks: dict[str, dict[tuple[int, str], int]] = {}
        self._blocks: dict[tuple[str, int], bytes] = {}

    def is_in(self, suspects: Suspects, stored_to: int) -> Callable[[RecordedEvent], bool]:
        """Return what says whether one of these documents has taken an event: folded it, or let it wait."""

        def is_in(event: RecordedEvent) -> bool:
            if event.note_id not in suspects or event.record.offset < stored_to:
                return event.note_id in suspects
            if (document := suspects[event.note_id]) is None or event.version <= document["version"]:
                return document is not None
            return bool(document.get("parked")) and event.version > document["version"] + 1 and not event.is_snapshot

        return is_in

    def take(self, events: Sequence[RecordedEvent]) -> None:
        """Take the next events; what was taken before changes nothing."""
        pending = {id_: self._pending(id_) for id_ in {event.note_id for event in events}}
        writes = fold_batch(self.documents, pending, events, self._evolve, self._blocks)
        for document in (*writes.inserts, *writes.replaces):
            self.documents[document["_id"]] = document
        for mark in writes.marks:
            self.documents[mark.note_id]["parked"] = mark.parked
        for note_id, number, ids in writes.blocks:
            self._blocks.setdefault((note_id, number), ids)
        for fork in writes.forks:
            self._forks.setdefault(fork.event.note_id, {})[fork.event.version, fork.event.id] = fork.found_at
        for event in writes.parks:
            self.waiting.setdefault(event.note_id, {})[event.version] = event
        for note_id, version in writes.evicts:
            del self.waiting[note_id][version]
        for note_id, version in writes.unparks:
            self.waiting[note_id] = {at: event for at, event in self.waiting[note_id].items() if at > version}
        for note_id, version in writes.ready.items():
            waiting = self.waiting[note_id]
            if run := [waiting[at] for at in takewhile(waiting.__contains__, count(version + 1))]:
                self.take(run)

    def _pending(self, id_: str) -> Pending:
        waiting = self.waiting.get(id_) or {}
        ids = {version: event.id for version, event in waiting.items()}
        return Pending(len(ids), min(ids, default=0), max(ids, default=0), ids, self._forks.get(id_, {}))

    def stopped(self) -> list[str]:
        """Return the notes whose folding has stopped: they have an event of another history."""
        snapshots = {id_: self.documents[id_]["snapshot"] for id_ in self._forks if id_ in self.documents}
        return list(stops_of(self._forks, snapshots))


class Entries:
    """One document an event, by id; none waits for another, and the first event of a version wins."""

    def __init__(self, entry: Entry) -> None:
        self.documents: dict[str, Any] = {}
        self.waiting: dict[str, dict[int, RecordedEvent]] = {}
        self._entry = entry

    def is_in(self, suspects: Suspects, _stored_to: int) -> Callable[[RecordedEvent], bool]:
        """Return what says whether an event may have made one of these documents."""
        return lambda event: entry_id(event) in suspects

    def take(self, events: Sequence[RecordedEvent]) -> None:
        """Take the next events; what was taken before changes nothing."""
        for document in map(self._entry, events):
            self.documents.setdefault(document["_id"], document)

    def stopped(self) -> list[str]:
        """Return nothing: the notes are what a fork stops."""
        return []


def make_expected(read_model: ReadModel) -> FoldedDocuments | Entries:
    """Return what no event has been taken of yet."""
    if read_model.evolve is not None:
        return FoldedDocuments(read_model.evolve)
    assert read_model.entry is not None, "a read model has one of the two"
    return Entries(read_model.entry)
