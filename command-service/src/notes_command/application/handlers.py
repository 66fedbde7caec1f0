"""The table of contents: which function decides which command."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from notes_command.application.archive_note import archive_note
from notes_command.application.create_note import create_note
from notes_command.application.delete_note import delete_note
from notes_command.application.rename_note import rename_note
from notes_command.application.restore_note import restore_note
from notes_command.application.tag_note import tag_note
from notes_command.application.untag_note import untag_note
from notes_command.application.update_note import update_note
from notes_command.domain.decision import Decision
from notes_command.domain.note import Note
from notes_contracts import (
    COMMANDS,
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

# Each handler takes its own command; the table's key makes sure that it gets it.
Handler = Callable[[Note | None, Any, datetime], Decision]
Handlers = Mapping[type[Command], Handler]

HANDLERS: Handlers = MappingProxyType(
    {
        CreateNote: create_note,
        UpdateNote: update_note,
        RenameNote: rename_note,
        TagNote: tag_note,
        UntagNote: untag_note,
        ArchiveNote: archive_note,
        RestoreNote: restore_note,
        DeleteNote: delete_note,
    }
)

if set(HANDLERS) != set(COMMANDS.values()):
    raise ImportError(f"handlers and contracts differ: {set(HANDLERS) ^ set(COMMANDS.values())}")
