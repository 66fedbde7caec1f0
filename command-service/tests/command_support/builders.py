"""Notes, commands and records with everything filled in that a test does not care about."""

from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from notes_command.domain.events import NoteUpdated
from notes_command.domain.note import Note, Status
from notes_command.pipeline.decide import DeadLetter, Message, Outcome, Result
from notes_command.pipeline.decode import DecodeError, Envelope, Source
from notes_command.pipeline.rows import Topics
from notes_contracts import Code, Command, CreateNote, UpdateNote, digest_of

NOW = datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)
TOPIC = "notes.commands"
TOPICS = Topics("notes.events", "notes.command-outcomes", "notes.commands.dead-letters")

_offsets = count()


def new_id() -> str:
    return str(uuid4())


def note(**changes: Any) -> Note:
    fields: dict[str, Any] = {
        "id": new_id(),
        "title": "A title",
        "body": "a body",
        "tags": ("red", "blue"),
        "author": "Ada",
        "status": Status.ACTIVE,
        "version": 1,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Note(**fields | changes)


def create(note_id: str | None = None, **changes: Any) -> CreateNote:
    return CreateNote(note_id=note_id or new_id(), **{"title": "A title", "body": "a body", **changes})


def update(note_id: str, body: str, **changes: Any) -> UpdateNote:
    return UpdateNote(note_id=note_id, body=body, **changes)


def source(*, partition: int = 0, offset: int | None = None, **changes: Any) -> Source:
    at = next(_offsets) if offset is None else offset
    fields: dict[str, Any] = {"key": b"key", "value": b"value", "headers": (("ce_id", b"x"),)}
    return Source(TOPIC, partition, at, **fields | changes)


def envelope(command: Command, command_id: str | None = None, **changes: Any) -> Envelope:
    fields: dict[str, Any] = {
        "source": source(),
        "command_id": command_id or new_id(),
        "note_id": command.note_id,
        "command": command,
        "digest": digest_of(command),
    }
    return Envelope(**fields | changes)


def refused_record(code: Code, command_id: str | None, **changes: Any) -> Envelope:
    fields: dict[str, Any] = {"source": source(), "note_id": None, "error": DecodeError(code, "why not")}
    return Envelope(command_id=command_id, **fields | changes)


def cause(command_id: str | None = None, **changes: Any) -> Envelope:
    known = {"correlationid": "correlation", "traceparent": "00-trace"}
    return Envelope(source(), command_id or new_id(), None, **known | changes)


def updated_event(note_id: str, version: int = 2, body: str = "new") -> Message:
    return Message(new_id(), NoteUpdated(note_id, version, NOW, body), cause())


def outcome(**changes: Any) -> Outcome:
    fields: dict[str, Any] = {
        "id": new_id(),
        "command_id": new_id(),
        "note_id": new_id(),
        "status": "accepted",
        "version": 3,
        "code": None,
        "message": None,
        "at": NOW,
        "digest": "ab" * 32,
    }
    return Outcome(**fields | changes)


def outcome_message(answer: Outcome) -> Message:
    return Message(answer.id, answer, cause(answer.command_id))


def dead_letter(**changes: Any) -> DeadLetter:
    fields: dict[str, Any] = {
        "source": source(),
        "command_id": new_id(),
        "note_id": None,
        "code": Code.UNDECODABLE,
        "reason": "not JSON",
        "at": NOW,
    }
    return DeadLetter(**fields | changes)


def created(*notes: Note) -> Result:
    return Result(created={one.id: one for one in notes})


async def clocks_agree() -> None:
    """Stands in for ClockCheck."""
