from datetime import datetime

from notes_command.domain.note import Decision, Note, not_found
from notes_contracts import UpdateNote


def update_note(note: Note | None, command: UpdateNote, now: datetime) -> Decision:
    """Replace the body of a note."""
    if note is None:
        return not_found(command.note_id)
    return note.change_body(command.body, command.expected_version, now)
