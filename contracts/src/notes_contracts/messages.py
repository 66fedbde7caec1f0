"""The one table from message type to model. A message that is not here does not exist."""

from types import MappingProxyType
from typing import Final, Literal

from pydantic import BaseModel

from notes_contracts.commands import (
    ArchiveNote,
    Command,
    CreateNote,
    DeleteNote,
    RenameNote,
    RestoreNote,
    TagNote,
    UntagNote,
    UpdateNote,
)
from notes_contracts.events import (
    Event,
    NoteArchived,
    NoteCreated,
    NoteDeleted,
    NoteRenamed,
    NoteRestored,
    NoteSnapshotted,
    NoteTagged,
    NoteUntagged,
    NoteUpdated,
)
from notes_contracts.outcomes import Outcome

COMMANDS: Final = MappingProxyType[str, type[Command]](
    {
        "notes.command.create-note.v1": CreateNote,
        "notes.command.update-note.v1": UpdateNote,
        "notes.command.rename-note.v1": RenameNote,
        "notes.command.tag-note.v1": TagNote,
        "notes.command.untag-note.v1": UntagNote,
        "notes.command.archive-note.v1": ArchiveNote,
        "notes.command.restore-note.v1": RestoreNote,
        "notes.command.delete-note.v1": DeleteNote,
    }
)

EVENTS: Final = MappingProxyType[str, type[Event]](
    {
        "notes.event.note-created.v1": NoteCreated,
        "notes.event.note-updated.v1": NoteUpdated,
        "notes.event.note-renamed.v1": NoteRenamed,
        "notes.event.note-tagged.v1": NoteTagged,
        "notes.event.note-untagged.v1": NoteUntagged,
        "notes.event.note-archived.v1": NoteArchived,
        "notes.event.note-restored.v1": NoteRestored,
        "notes.event.note-deleted.v1": NoteDeleted,
        "notes.event.note-snapshotted.v1": NoteSnapshotted,
    }
)

OUTCOMES: Final = MappingProxyType[str, type[Outcome]](
    {
        "notes.outcome.accepted.v1": Outcome,
        "notes.outcome.rejected.v1": Outcome,
        "notes.outcome.failed.v1": Outcome,
    }
)

MESSAGES: Final = MappingProxyType[str, type[BaseModel]]({**COMMANDS, **EVENTS, **OUTCOMES})

_TYPE_OF: Final[dict[type[BaseModel], str]] = {
    model: name for table in (COMMANDS, EVENTS) for name, model in table.items()
}

if len(_TYPE_OF) != len(COMMANDS) + len(EVENTS):
    raise ImportError("two message types share one model")


def type_of(message: Command | Event | Outcome) -> str:
    """Return the `ce_type` of a message."""
    # Not isinstance: the models have an abstract metaclass, which makes that ten times as dear.
    found = _TYPE_OF.get(type(message))
    return found if found is not None else outcome_type(message.status)  # type: ignore[union-attr]


def outcome_type(status: Literal["accepted", "rejected", "failed"]) -> str:
    """Return the `ce_type` of an outcome with that status."""
    return f"notes.outcome.{status}.v1"


def command_name(ce_type: str) -> str:
    """Return the name that HTTP uses: `create-note` for `notes.command.create-note.v1`, later versions with theirs."""
    return ce_type.removeprefix("notes.command.").removesuffix(".v1")
