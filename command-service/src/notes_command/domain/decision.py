"""What a command comes to: a changed note with its event, or the no of a rule. A rejection is a value, never raised."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from notes_command.domain.events import Event
    from notes_command.domain.note import Note


class Rule(StrEnum):
    """The rules that can say no; the values are the public error codes."""

    NOTE_ALREADY_EXISTS = "note_already_exists"
    NOTE_NOT_FOUND = "note_not_found"
    NOTE_ARCHIVED = "note_archived"
    NOTE_DELETED = "note_deleted"
    TOO_MANY_TAGS = "too_many_tags"
    VERSION_CONFLICT = "version_conflict"


@dataclass(frozen=True, slots=True)
class Accepted:
    """The note after the command. `event` is None where nothing changed."""

    note: "Note"
    event: "Event | None"


@dataclass(frozen=True, slots=True)
class Rejected:
    """A rule said no; the note is as it was."""

    rule: Rule
    message: str


Decision = Accepted | Rejected
