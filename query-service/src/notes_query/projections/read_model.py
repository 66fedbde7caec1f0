"""What a read model declares for those who build and store it, and the events that it is made of."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, NamedTuple, Protocol, TypedDict

from notes_contracts import Event, NoteSnapshotted, partition_of, snapshot_id
from notes_contracts.topics import PARTITIONS

ASCENDING: Final = 1
DESCENDING: Final = -1
TEXT: Final = "text"
ProjectorName = Literal["notes", "background"]


class Record(Protocol):
    """A Kafka record, as a consumer hands it over or as a store kept it."""

    @property
    def topic(self) -> str:
        """Where it was read."""

    @property
    def partition(self) -> int:
        """The partition of the topic."""

    @property
    def offset(self) -> int:
        """The offset in the partition."""

    @property
    def key(self) -> bytes | None:
        """The note's id, if all is well."""

    @property
    def value(self) -> bytes | None:
        """The data, or the whole event in structured mode."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """The event's attributes, in binary mode."""


class RecordedEvent(NamedTuple):
    """An event. `data` and `occurred_at` are None if this service does not know the type.

    `type` is the `ce_type`, `id` the event's id, `version` the note's version after it, `record` what was read.
    `causation` is the `ce_causationid` as it was read: the command's id, if it is one. `actor` is the `ce_authid`.
    """

    note_id: str
    version: int
    id: str
    type: str
    data: Event | None
    occurred_at: datetime | None
    record: Record
    causation: str | None
    actor: str | None = None

    @property
    def identity(self) -> tuple[str, int, str]:
        """Return note id, version and event id, which tell it from another event of its version."""
        return self.note_id, self.version, self.id

    @property
    def is_snapshot(self) -> bool:
        """Return whether it repeats the state at its version, instead of making that version."""
        # isinstance would cost ten times as much: the models have an abstract metaclass.
        return type(self.data) is NoteSnapshotted

    @property
    def stands_in(self) -> bool:
        """Return whether its id says nothing about its version's event: a snapshot, also of a type not known here."""
        return self.is_snapshot or (self.data is None and self.id == snapshot_id(self.note_id, self.version))


class Folded(TypedDict):
    """The fields of every folded document, which the projector keeps; the read model adds its own.

    `_id`: the note's id. `version`: the note's version after the last event folded.
    `event_id`: the event that made this version, None if it is not known. `ids`: the ids of the events that made the
    last versions, see `folding`. `snapshot`: the version of the last snapshot that was taken, 0 for none.
    `parked`: later versions wait for a missing one, or a fork has stopped folding.
    """

    _id: str
    version: int
    event_id: str | None
    ids: bytes
    snapshot: int
    parked: bool


Evolve = Callable[[Any, RecordedEvent], Any]
"""(document | None, the event of the next version) -> the document after it; the given document stays as it was."""

Entry = Callable[[RecordedEvent], dict[str, Any]]
"""event -> its document, whose `_id` is `entry_id(event)`."""


@dataclass(frozen=True, slots=True)
class Index:
    """An index over `keys`: (field, direction or TEXT) in order.

    `expire_after_s`: MongoDB deletes a document so many seconds after the time in its first key. `weights` and
    `language` are for a text index. `partial`: a condition; documents that do not meet it are not in the index.
    """

    name: str
    keys: tuple[tuple[str, int | str], ...]
    expire_after_s: int | None = None
    weights: Mapping[str, int] = field(default_factory=dict)
    language: str | None = None
    partial: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ReadModel:
    """A read model, built from the events of a projector.

    It has either `evolve`: one folded document for each note; or `entry`: one document for each event, inserted if it
    is missing. Raise `version` with every change of what is stored, or of an index: a new version is built beside the
    old one, which the release before goes on serving.
    """

    name: str
    version: int
    projector: ProjectorName
    indexes: tuple[Index, ...]
    evolve: Evolve | None = None
    entry: Entry | None = None

    def __post_init__(self) -> None:
        if (self.evolve is None) == (self.entry is None):
            raise ImportError(f"the read model {self.name} needs either evolve or entry")
        if not re.fullmatch("[a-z]+(_[a-z]+)*", self.name) or self.version < 1:
            raise ImportError(f"the read model {self.name} version {self.version}: its name or version cannot be used")


@dataclass(frozen=True, slots=True)
class Kept:
    """A collection that has no builds, and its indexes.

    `replaced`: names of older indexes, which are dropped once the new ones exist. The release before must be able to
    do without them; it makes them again when it starts.
    """

    collection: str
    indexes: tuple[Index, ...]
    replaced: tuple[str, ...] = ()


def entry_id(event: RecordedEvent) -> str:
    """Return the id of an event's document: there is one for each version of a note."""
    return entry_key(event.note_id, event.version)


def entry_key(note_id: str, version: int) -> str:
    """Return the id of the document of a note's version."""
    return f"{note_id}:{version}"


def note_of(id_: str) -> str:
    """Return the note id out of the id of a document, which is that of a note or of one of its versions."""
    return id_.partition(":")[0]


def partitions_of(note_id: str, count: int) -> set[int]:
    """Return the partitions where events of a note may be, on a topic with `count` partitions.

    Kafka's clients choose by that number, and command-service by the number that it knows.
    """
    key = note_id.encode()
    return {partition_of(key, known) for known in {count or PARTITIONS, PARTITIONS}} & set(range(count))


def parked_of(collection: str) -> str:
    """Return the name of the collection that holds what is kept beside the documents of a collection."""
    return f"{collection}_parked"


class Serving(Protocol):
    """What is served now. It may change between two calls, so ask once in a query."""

    def collection(self, read_model: str) -> str:
        """Return the name of the collection to read. Raises Building while the read model is not complete."""

    def before(self, read_model: str) -> str | None:
        """Return the collection that was served until a moment ago, which may be further; None if there is none."""

    def elsewhere(self, read_model: str) -> Sequence[str]:
        """Return the collections from which instances of other releases answer now, which may be further."""
