"""What the documents of a shape have to be, folded in memory from the events."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from notes_query.application.decode_event import decode_event
from notes_query.application.errors import Undecodable
from notes_query.application.fold_batch import fold_batch
from notes_query.projections.recorded_event import Record, RecordedEvent
from notes_query.projections.shape import Entry, Evolve, Folded, Shape


class Expected(Protocol):
    """Takes records in their order; has documents by id."""

    def take(self, records: Sequence[Record]) -> None:
        """Take the next ones."""
        ...

    def watch(self, ids: Iterable[str]) -> None:
        """Keep every version of these documents from now on, and of no others."""
        ...

    def get(self, id_: str, version: int | None = None) -> Mapping[str, Any] | None:
        """Return a document, at this version if it has been watched since; null if the events make none."""
        ...

    def ids(self) -> list[str]:
        """Return the ids of all that the events speak of."""
        ...

    def incomplete(self, id_: str) -> bool:
        """Say whether there are events of it whose predecessors are missing."""
        ...


def make_expected(shape: Shape) -> Expected:
    """Return an empty one."""
    if shape.evolve is not None:
        return _Folded(shape.evolve)
    if shape.entry is not None:
        return _Entries(shape.entry)
    raise TypeError(f"the shape {shape.name} has neither evolve nor entry")


def _decoded(records: Sequence[Record]) -> list[RecordedEvent]:
    events = []
    for record in records:
        try:
            events.append(decode_event(record))
        except Undecodable:
            continue  # a dead letter; what comes after it waits, here as in the store
    return events


class _Folded:
    """One document a note."""

    def __init__(self, evolve: Evolve) -> None:
        self._evolve = evolve
        self._documents: dict[str, Folded] = {}
        self._waiting: dict[str, dict[int, RecordedEvent]] = {}
        self._watched: dict[str, dict[int, Folded]] = {}

    def take(self, records: Sequence[Record]) -> None:
        events = _decoded(records)
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
        ids = {event.note_id for event in events}
        waiting = {id_: self._waiting[id_] for id_ in ids if id_ in self._waiting}
        writes = fold_batch(self._documents, waiting, events, self._evolve)
        for document in (*writes.inserts, *writes.replaces):
            self._documents[document["_id"]] = document
        for mark in writes.marks:
            self._documents[mark.note_id]["parked"] = mark.parked
        for event in writes.parks:
            self._waiting.setdefault(event.note_id, {})[event.version] = event
        for note_id, version in writes.unparks:
            self._waiting[note_id].pop(version, None)

    def get(self, id_: str, version: int | None = None) -> Mapping[str, Any] | None:
        watched = self._watched.get(id_, {})
        return self._documents.get(id_) if version is None or version not in watched else watched[version]

    def ids(self) -> list[str]:
        return list({**self._documents, **self._waiting})

    def incomplete(self, id_: str) -> bool:
        return bool(self._waiting.get(id_))


class _Entries:
    """One document an event."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._documents: dict[str, dict[str, Any]] = {}

    def take(self, records: Sequence[Record]) -> None:
        for event in _decoded(records):
            document = self._entry(event)
            self._documents.setdefault(document["_id"], document)

    def watch(self, ids: Iterable[str]) -> None:
        """Do nothing: a document stays as it is."""

    def get(self, id_: str, version: int | None = None) -> Mapping[str, Any] | None:  # noqa: ARG002
        return self._documents.get(id_)

    def ids(self) -> list[str]:
        return list(self._documents)

    def incomplete(self, id_: str) -> bool:  # noqa: ARG002 - of the protocol; an entry needs no other
        return False
