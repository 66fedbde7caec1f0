from datetime import datetime

from notes_command.domain.note import Decision, Note, not_found
from notes_contracts import RestoreNote


def restore_note(note: Note | None, command: RestoreNote, now: datetime) -> Decision:
    """Bring an archived note back."""
    if note is None:
        return not_found(command.note_id)
    return note.restore(command.expected_version, now)
