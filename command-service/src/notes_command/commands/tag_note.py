from datetime import datetime

from notes_command.domain.note import Decision, Note, not_found
from notes_contracts import TagNote


def tag_note(note: Note | None, command: TagNote, now: datetime) -> Decision:
    """Add a tag to a note."""
    if note is None:
        return not_found(command.note_id)
    return note.add_tag(command.tag, command.expected_version, now)
