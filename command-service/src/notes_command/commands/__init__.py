"""The table of commands: which handler decides which command."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from notes_command.commands.archive_note import archive_note
from notes_command.commands.create_note import create_note
from notes_command.commands.delete_note import delete_note
from notes_command.commands.rename_note import rename_note
from notes_command.commands.restore_note import restore_note
from notes_command.commands.tag_note import tag_note
from notes_command.commands.untag_note import untag_note
from notes_command.commands.update_note import update_note
from notes_command.domain.note import Decision, Note
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

# Each handler takes its own command type; the key of the table makes sure that it gets no other.
# Each handler checks `note is None` itself, so that a broken handler raises before "not found" is answered. The command
# then becomes a dead letter, and can be redriven once the note exists.
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
