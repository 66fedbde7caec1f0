"""The one table from message type to model. A message that is not here does not exist."""

from types import MappingProxyType
from typing import Final, Literal

from pydantic import BaseModel

from notes_contracts.commands import Command, CreateNote, UpdateNote
from notes_contracts.events import Event, NoteCreated, NoteUpdated
from notes_contracts.outcomes import Outcome

COMMANDS: Final = MappingProxyType[str, type[Command]](
    {
        "notes.command.create-note.v1": CreateNote,
        "notes.command.update-note.v1": UpdateNote,
    }
)

EVENTS: Final = MappingProxyType[str, type[Event]](
    {
        "notes.event.note-created.v1": NoteCreated,
        "notes.event.note-updated.v1": NoteUpdated,
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

_TYPE_OF: Final = {model: name for table in (COMMANDS, EVENTS) for name, model in table.items()}

if len(_TYPE_OF) != len(COMMANDS) + len(EVENTS):
    raise ImportError("two message types share one model")


def type_of(message: Command | Event | Outcome) -> str:
    """Return the `ce_type` of a message."""
    return outcome_type(message.status) if isinstance(message, Outcome) else _TYPE_OF[type(message)]


def outcome_type(status: Literal["accepted", "rejected", "failed"]) -> str:
    """Return the `ce_type` of an outcome with that status."""
    return f"notes.outcome.{status}.v1"


def command_name(ce_type: str) -> str:
    """Return the name that HTTP uses: `create-note` for `notes.command.create-note.v1`."""
    return ce_type.split(".")[2]
