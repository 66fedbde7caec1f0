"""Records as command-service writes them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid5

from notes_contracts import Event, NoteCreated, NoteSnapshotted, NoteUpdated, Outcome, Written, format_time, write
from notes_query.projecting.project_events import decode_event
from notes_query.projecting.stored_record import StoredRecord
from notes_query.projections.note import NoteDocument, evolve
from notes_query.projections.read_model import RecordedEvent

NAMESPACE = UUID("5a0c6f3e-9d0a-4a6e-9f57-3d8d5a9c1b11")
START = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
RECENT = datetime.now(UTC).replace(microsecond=678000) - timedelta(hours=1)
"""When outcomes were decided and dead letters sent: MongoDB removes old ones, which it looks for once a minute."""


@dataclass(frozen=True)
class Samples:
    """Makes what the tests need; the same arguments give the same ids and times."""

    note: str = "0f8fad5b-d9cb-469f-a165-70867728950e"
    other: str = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
    start: datetime = START
    recent: datetime = RECENT

    def id(self, name: str) -> str:
        """Give a UUID that belongs to a name."""
        return str(uuid5(NAMESPACE, name))

    def at(self, version: int) -> datetime:
        """Give the time of a version."""
        return self.start + timedelta(milliseconds=version)

    def created(self, note: str | None = None, version: int = 1, **changes: Any) -> NoteCreated:
        """Give an event."""
        fields: dict[str, Any] = {"title": "A title", "body": "the body", "tags": ("one", "two"), "author": "someone"}
        fields |= {"occurred_at": format_time(self.at(version))} | changes
        return NoteCreated(note_id=note or self.note, version=version, **fields)

    def updated(self, note: str | None = None, version: int = 2, **changes: Any) -> NoteUpdated:
        """Give an event."""
        fields = {"body": f"body {version}", "occurred_at": format_time(self.at(version))} | changes
        return NoteUpdated(note_id=note or self.note, version=version, **fields)

    def snapshotted(self, note: str | None = None, version: int = 3, **changes: Any) -> NoteSnapshotted:
        """Give an event."""
        fields: dict[str, Any] = {"title": "A title", "body": "the body", "tags": (), "author": None}
        fields |= {
            "status": "active",
            "created_at": format_time(self.at(1)),
            "updated_at": format_time(self.at(version)),
        }
        fields |= {"occurred_at": format_time(self.at(version))} | changes
        return NoteSnapshotted(note_id=note or self.note, version=version, **fields)

    def outcome(self, name: str = "command", **changes: Any) -> Outcome:
        """Give an outcome."""
        fields: dict[str, Any] = {"status": "accepted", "version": 1, "error": None, "digest": None}
        fields |= {"note_id": self.note, "at": format_time(self.recent)} | changes
        return Outcome(command_id=self.id(name), **fields)

    def written(self, message: Event | Outcome, name: str | None = None) -> Written:
        """Give a message as it is sent; `name` makes another id of it."""
        about = message.note_id if isinstance(message, Event) else message.command_id
        of = name or f"{about}:{message.version}"
        return write(message, id=self.id(of), time=format_time(self.start), causationid=self.id("cause"))

    def record(self, message: Event | Outcome, offset: int = 0, name: str | None = None) -> StoredRecord:
        """Give a message as it is read."""
        sent = self.written(message, name)
        return StoredRecord("events", 0, offset, sent.key, sent.value, sent.headers)

    def raw(self, value: bytes | None, offset: int = 0, key: bytes | None = None, **headers: Any) -> StoredRecord:
        """Give a record of any headers; in their names, `_` stands for itself."""
        return StoredRecord("events", 0, offset, key, value, tuple(headers.items()))

    def unknown(self, version: int, note: str | None = None, **headers: Any) -> StoredRecord:
        """Give an event of a type that this service does not know."""
        note = note or self.note
        event_id = self.id(f"{note}:{version}")
        attributes = {"ce_id": event_id, "ce_type": "notes.event.note-coloured.v1", "ce_sequence": str(version)}
        encoded = {name: value.encode() for name, value in (attributes | headers).items()}
        return self.raw(b'{"colour":"red"}', key=note.encode(), **encoded)

    def event(self, message: Event, name: str | None = None) -> RecordedEvent:
        """Give a message as it is folded."""
        return decode_event(self.record(message, name=name))

    def document(self, *messages: Event) -> NoteDocument:
        """Give the document of these events, which are in order."""
        document: NoteDocument | None = None
        for message in messages:
            document = evolve(document, self.event(message))
        assert document is not None
        return document
