from datetime import datetime

from notes_command.domain.note import Decision, Note, not_found
from notes_contracts import ArchiveNote


def archive_note(note: Note | None, command: ArchiveNote, now: datetime) -> Decision:
    """Put a note away."""
    if note is None:
        return not_found(command.note_id)
    return note.archive(command.expected_version, now)
