from datetime import datetime

from notes_command.domain.note import Decision, Note, not_found
from notes_contracts import RenameNote


def rename_note(note: Note | None, command: RenameNote, now: datetime) -> Decision:
    """Replace the title of a note."""
    if note is None:
        return not_found(command.note_id)
    return note.rename(command.title, command.expected_version, now)
