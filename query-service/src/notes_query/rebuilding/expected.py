"""What the documents of a read model have to be, folded in memory from the events."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Mapping, Sequence
from itertools import count, takewhile
from typing import Any

from notes_query.errors import Undecodable
from notes_query.projecting.enter_read_model import enter_batch
from notes_query.projecting.fold_batch import fold_batch
from notes_query.projecting.pending import EntriesKnown, ForkKey, Pending, stops_of
from notes_query.projecting.project_events import decode_event
from notes_query.projections.read_model import Entry, Evolve, Folded, ReadModel, entry_id
from notes_query.projections.recorded_event import Record, RecordedEvent


class Expected(ABC):
    """Documents by id, made of records that are taken in their order. `disregarded`: forks that count for nothing."""

    def __init__(self, disregarded: Collection[ForkKey]) -> None:
        self._disregarded = disregarded
        self._documents: dict[str, Any] = {}

    def take(self, records: Sequence[Record]) -> None:
        """Take the next ones. One that is not readable is a dead letter: what comes after it waits, as in the store."""
        events = []
        for record in records:
            try:
                event = decode_event(record)
            except Undecodable:
                continue
            if (event.note_id, event.version, event.id) not in self._disregarded:
                events.append(event)
        self._apply(events)

    @abstractmethod
    def _apply(self, events: Sequence[RecordedEvent]) -> None: ...

    def watch(self, ids: Iterable[str]) -> None:  # noqa: B027 - an entry has one version
        """Keep every version of these documents from now on, and of no others."""

    def get(self, id_: str, version: int | None = None) -> Mapping[str, Any] | None:  # noqa: ARG002 - as above
        """Return a document, at this version if it has been watched since; None if the events make none."""
        return self._documents.get(id_)

    def ids(self) -> list[str]:
        """Return the ids of all that the events speak of."""
        return list(self._documents)

    def incomplete(self, id_: str) -> bool:  # noqa: ARG002 - an entry needs no other
        """Say whether there are events of it whose predecessors are missing."""
        return False

    @abstractmethod
    def stopped(self) -> list[str]:
        """Return the notes whose folding has stopped: they have an event of another history."""


def make_expected(read_model: ReadModel, disregarded: Collection[ForkKey] = ()) -> Expected:
    """Return an empty one."""
    if read_model.evolve is not None:
        return _FoldedDocuments(read_model.evolve, disregarded)
    if read_model.entry is not None:
        return _Entries(read_model.entry, disregarded)
    raise TypeError(f"the read model {read_model.name} has neither evolve nor entry")


class _FoldedDocuments(Expected):
    """One document a note."""

    def __init__(self, evolve: Evolve, disregarded: Collection[ForkKey]) -> None:
        super().__init__(disregarded)
        self._evolve = evolve
        self._waiting: dict[str, dict[int, RecordedEvent]] = {}
        self._forks: dict[str, dict[tuple[int, str], int]] = {}
        self._blocks: dict[tuple[str, int], bytes] = {}
        self._watched: dict[str, dict[int, Folded]] = {}

    def _apply(self, events: Sequence[RecordedEvent]) -> None:
        if not any(event.note_id in self._watched for event in events):
            self._fold(events)
            return
        for event in events:
            self._fold([event])
            self._keep(event.note_id)

    def watch(self, ids: Iterable[str]) -> None:
        self._watched = {id_: self._watched.get(id_, {}) for id_ in ids}
        for id_ in self._watched:
            self._keep(id_)

    def _keep(self, id_: str) -> None:
        if id_ in self._watched and (document := self._documents.get(id_)) is not None:
            self._watched[id_][document["version"]] = document

    def _fold(self, events: Sequence[RecordedEvent]) -> None:
        pending = {id_: self._pending(id_) for id_ in {event.note_id for event in events}}
        writes = fold_batch(self._documents, pending, events, self._evolve, self._blocks)
        for document in (*writes.inserts, *writes.replaces):
            self._documents[document["_id"]] = document
        for mark in writes.marks:
            self._documents[mark.note_id]["parked"] = mark.parked
        for note_id, number, ids in writes.blocks:
            self._blocks.setdefault((note_id, number), ids)
        for fork in writes.forks:
            self._forks.setdefault(fork.event.note_id, {})[fork.event.version, fork.event.id] = fork.at
        for event in writes.parks:
            self._waiting.setdefault(event.note_id, {})[event.version] = event
        for note_id, version in writes.evicts:
            del self._waiting[note_id][version]
        for note_id, version in writes.unparks:
            self._waiting[note_id] = {at: event for at, event in self._waiting[note_id].items() if at > version}
        for note_id, version in writes.ready.items():
            waiting = self._waiting[note_id]
            if run := [waiting[at] for at in takewhile(waiting.__contains__, count(version + 1))]:
                self._fold(run)

    def _pending(self, id_: str) -> Pending:
        waiting = self._waiting.get(id_) or {}
        ids = {version: event.id for version, event in waiting.items()}
        return Pending(len(ids), min(ids, default=0), max(ids, default=0), ids, self._forks.get(id_, {}))

    def get(self, id_: str, version: int | None = None) -> Mapping[str, Any] | None:
        watched = self._watched.get(id_, {})
        return self._documents.get(id_) if version is None or version not in watched else watched[version]

    def ids(self) -> list[str]:
        return list({**self._documents, **self._waiting})

    def incomplete(self, id_: str) -> bool:
        return bool(self._waiting.get(id_))

    def stopped(self) -> list[str]:
        snapshots = {id_: self._documents[id_]["snapshot"] for id_ in self._forks if id_ in self._documents}
        return list(stops_of(self._forks, snapshots))


class _Entries(Expected):
    """One document an event."""

    def __init__(self, entry: Entry, disregarded: Collection[ForkKey]) -> None:
        super().__init__(disregarded)
        self._entry = entry
        self._forks: set[ForkKey] = set()
        self._stops: dict[str, int] = {}
        self._highest: dict[str, int] = {}

    def _apply(self, events: Sequence[RecordedEvent]) -> None:
        ids = {at: self._documents[at]["event_id"] for one in events if (at := entry_id(one)) in self._documents}
        found = enter_batch(events, EntriesKnown(ids, self._forks, self._stops), self._highest, self._entry)
        self._stops = found.stops
        for document in found.entries:
            self._documents[document["_id"]] = document
            note_id = document["note_id"]
            self._highest[note_id] = max(self._highest.get(note_id, 0), document["version"])
        self._forks |= {(fork.event.note_id, fork.event.version, fork.event.id) for fork in found.forks}

    def stopped(self) -> list[str]:
        return list(self._stops)
