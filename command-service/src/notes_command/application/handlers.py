"""The table of contents: which function decides which command."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from notes_command.application.create_note import create_note
from notes_command.application.update_note import update_note
from notes_command.domain.decision import Decision
from notes_command.domain.note import Note
from notes_contracts import COMMANDS, Command, CreateNote, UpdateNote

# Each handler takes its own command; the table's key makes sure that it gets it.
Handler = Callable[[Note | None, Any, datetime], Decision]
Handlers = Mapping[type[Command], Handler]

HANDLERS: Handlers = MappingProxyType(
    {
        CreateNote: create_note,
        UpdateNote: update_note,
    }
)

if set(HANDLERS) != set(COMMANDS.values()):
    raise ImportError(f"handlers and contracts differ: {set(HANDLERS) ^ set(COMMANDS.values())}")
