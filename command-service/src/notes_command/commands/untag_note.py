from datetime import datetime

from notes_command.domain.note import Decision, Note, not_found
from notes_contracts import UntagNote


def untag_note(note: Note | None, command: UntagNote, now: datetime) -> Decision:
    """Take a tag off a note."""
    if note is None:
        return not_found(command.note_id)
    return note.remove_tag(command.tag, command.expected_version, now)
