from datetime import datetime

from notes_command.domain.note import Decision, Note, not_found
from notes_contracts import DeleteNote


def delete_note(note: Note | None, command: DeleteNote, now: datetime) -> Decision:
    """Delete a note for ever."""
    if note is None:
        return not_found(command.note_id)
    return note.delete(command.expected_version, now)
