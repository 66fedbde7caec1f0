"""The table of all messages, from type to model."""

from hashlib import sha256
from types import MappingProxyType
from typing import Final, Literal

from pydantic import BaseModel
from pydantic_core import to_json

from notes_contracts import commands, events
from notes_contracts.commands import Command
from notes_contracts.events import Event, Outcome

COMMANDS: Final = MappingProxyType[str, type[Command]](
    {
        "notes.command.create-note.v1": commands.CreateNote,
        "notes.command.update-note.v1": commands.UpdateNote,
        "notes.command.rename-note.v1": commands.RenameNote,
        "notes.command.tag-note.v1": commands.TagNote,
        "notes.command.untag-note.v1": commands.UntagNote,
        "notes.command.archive-note.v1": commands.ArchiveNote,
        "notes.command.restore-note.v1": commands.RestoreNote,
        "notes.command.delete-note.v1": commands.DeleteNote,
    }
)

EVENTS: Final = MappingProxyType[str, type[Event]](
    {
        "notes.event.note-created.v1": events.NoteCreated,
        "notes.event.note-updated.v1": events.NoteUpdated,
        "notes.event.note-renamed.v1": events.NoteRenamed,
        "notes.event.note-tagged.v1": events.NoteTagged,
        "notes.event.note-untagged.v1": events.NoteUntagged,
        "notes.event.note-archived.v1": events.NoteArchived,
        "notes.event.note-restored.v1": events.NoteRestored,
        "notes.event.note-deleted.v1": events.NoteDeleted,
        "notes.event.note-snapshotted.v1": events.NoteSnapshotted,
    }
)

OUTCOMES: Final = MappingProxyType[str, type[Outcome]](
    {f"notes.outcome.{status}.v1": Outcome for status in ("accepted", "rejected", "failed")}
)

MESSAGES: Final = MappingProxyType[str, type[BaseModel]]({**COMMANDS, **EVENTS, **OUTCOMES})

_TYPE_OF: Final[dict[type[BaseModel], str]] = {
    model: name for table in (COMMANDS, EVENTS) for name, model in table.items()
}

_BEGINS: Final = {model: name.encode() + b"\0" for name, model in COMMANDS.items()}
_FIELDS: Final = {model: sorted(model.model_fields) for model in COMMANDS.values()}

if len(_TYPE_OF) != len(COMMANDS) + len(EVENTS):
    raise ImportError("two message types share one model")


def type_of(message: Command | Event | Outcome) -> str:
    """Return the `ce_type` of a message."""
    # Not isinstance: the models have an abstract metaclass, with which it costs ten times as much.
    found = _TYPE_OF.get(type(message))
    return found if found is not None else outcome_type(message.status)  # type: ignore[union-attr]


def outcome_type(status: Literal["accepted", "rejected", "failed"]) -> str:
    """Return the `ce_type` of an outcome with that status."""
    return f"notes.outcome.{status}.v1"


def command_name(ce_type: str) -> str:
    """Return the name that HTTP uses: `create-note` for `notes.command.create-note.v1`, later versions with theirs."""
    return ce_type.removeprefix("notes.command.").removesuffix(".v1")


def digest_of(command: Command) -> str:
    """Return the SHA-256, in hex, of `ce_type`, a NUL byte and the validated data as JSON.

    The JSON has defaults filled in, keys sorted, no spaces, and is UTF-8 without escaping.
    """
    model, values = type(command), command.__dict__
    return sha256(_BEGINS[model] + to_json({name: values[name] for name in _FIELDS[model]})).hexdigest()
