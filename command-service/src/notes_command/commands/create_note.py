from datetime import datetime

from notes_command.domain.note import Decision, Note
from notes_contracts import CreateNote


def create_note(note: Note | None, command: CreateNote, now: datetime) -> Decision:
    """Create a note under an id that was never used."""
    if note is not None:
        return note.create_again()
    return Note.create(
        note_id=command.note_id,
        title=command.title,
        body=command.body,
        tags=command.tags,
        author=command.author,
        now=now,
    )
