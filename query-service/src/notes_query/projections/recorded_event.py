"""An event as it stands on the topic: what every read model is folded from."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple, Protocol

from notes_contracts import Event, NoteSnapshotted, snapshot_id


class Record(Protocol):
    """A Kafka record, as a consumer hands it over or as a store kept it."""

    @property
    def topic(self) -> str:
        """Where it was read, with partition and offset."""

    @property
    def partition(self) -> int:
        """See topic."""

    @property
    def offset(self) -> int:
        """See topic."""

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
    """One event. `data` and `occurred_at` are null if this service does not know the type.

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
    def is_snapshot(self) -> bool:
        """Return whether it repeats the state at its version, instead of making that version."""
        # Not isinstance: the models have an abstract metaclass, which makes that cost ten times as much.
        return type(self.data) is NoteSnapshotted

    @property
    def stands_in(self) -> bool:
        """Return whether its id says nothing about its version's event: a snapshot, also of a type not known here."""
        return self.is_snapshot or (self.data is None and self.id == snapshot_id(self.note_id, self.version))
