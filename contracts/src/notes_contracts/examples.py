"""One example of every message type, for the documentation: the story of one note."""

from types import MappingProxyType
from typing import Any, Final

from notes_contracts import commands, events
from notes_contracts.commands import Command
from notes_contracts.events import Event, Outcome, OutcomeError
from notes_contracts.messages import MESSAGES, digest_of, type_of

NOTE_ID: Final = "0f8fad5b-d9cb-469f-a165-70867728950e"
COMMAND_ID: Final = "7c9e6679-7425-40de-944b-e07fc1f90ae7"
MESSAGE_ID: Final = "16fd2706-8baf-433b-82eb-8c7fada847da"
CREATED_AT: Final = "2026-01-02T03:04:05.678Z"
CHANGED_AT: Final = "2026-01-03T10:00:00.000Z"
TRACEPARENT: Final = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

_TITLE, _BODY, _AUTHOR = "Bread", "Flour, water, salt, and time.", "someone"
_CREATE: Final = commands.CreateNote(note_id=NOTE_ID, title=_TITLE, body=_BODY, tags=("kitchen",), author=_AUTHOR)
_UPDATE: Final = commands.UpdateNote(note_id=NOTE_ID, expected_version=1, body=_BODY)

_COMMANDS: Final[tuple[Command, ...]] = (
    _CREATE,
    _UPDATE,
    commands.RenameNote(note_id=NOTE_ID, expected_version=2, title="Sourdough"),
    commands.TagNote(note_id=NOTE_ID, tag="slow"),
    commands.UntagNote(note_id=NOTE_ID, tag="slow"),
    commands.ArchiveNote(note_id=NOTE_ID),
    commands.RestoreNote(note_id=NOTE_ID),
    commands.DeleteNote(note_id=NOTE_ID, expected_version=8),
)


def _at(version: int, **data: Any) -> dict[str, Any]:
    return {"note_id": NOTE_ID, "version": version, "occurred_at": CREATED_AT if version == 1 else CHANGED_AT, **data}


_CONTENT: Final[dict[str, Any]] = {"title": _TITLE, "body": _BODY, "tags": ("kitchen",), "author": _AUTHOR}
_EVENTS: Final[tuple[Event, ...]] = (
    events.NoteCreated(**_at(1, **_CONTENT)),
    events.NoteUpdated(**_at(2, body=_BODY)),
    events.NoteRenamed(**_at(3, title="Sourdough")),
    events.NoteTagged(**_at(4, tag="slow", tags=("kitchen", "slow"))),
    events.NoteUntagged(**_at(5, tag="slow", tags=("kitchen",))),
    events.NoteArchived(**_at(6)),
    events.NoteRestored(**_at(7)),
    events.NoteSnapshotted(**_at(8, **_CONTENT, status="active", created_at=CREATED_AT, updated_at=CHANGED_AT)),
    events.NoteDeleted(**_at(9)),
)


def _outcome(command: Command | None, **data: Any) -> Outcome:
    digest = None if command is None else digest_of(command)
    return Outcome(command_id=COMMAND_ID, note_id=NOTE_ID, at=CREATED_AT, digest=digest, **data)


_OUTCOMES: Final = (
    _outcome(_CREATE, status="accepted", version=1, error=None),
    _outcome(
        _UPDATE,
        status="rejected",
        version=None,
        error=OutcomeError(code="version_conflict", message="the note is at version 3, not 1"),
    ),
    _outcome(
        None, status="failed", version=None, error=OutcomeError(code="undecodable", message="not JSON: EOF at line 1")
    ),
)

_ALL: Final[tuple[Command | Event | Outcome, ...]] = (*_COMMANDS, *_EVENTS, *_OUTCOMES)

EXAMPLES: Final = MappingProxyType({type_of(message): message for message in _ALL})

if missing := set(MESSAGES) - set(EXAMPLES):
    raise ImportError(f"message types without an example: {sorted(missing)}")


def example_data(ce_type: str) -> dict[str, Any]:
    """Return the `data` of the example of a message type, as JSON has it."""
    return EXAMPLES[ce_type].model_dump(mode="json")
