"""The note: the aggregate that commands are decided against.

Every method returns a Decision and changes nothing in place. Where several rules could say no, the first of this
order does: deleted, version conflict, archived, nothing would change, too many tags (design, section 2).
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Self

from notes_command.domain.decision import Accepted, Decision, Rejected, Rule
from notes_command.domain.events import NoteCreated, NoteUpdated

MAX_TAGS = 20


class Status(StrEnum):
    """Where a note is in its life. Deleted is for ever."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Note:
    """A note at one version. Times are aware UTC datetimes, cut to milliseconds."""

    id: str
    title: str
    body: str
    tags: tuple[str, ...]
    author: str | None
    status: Status
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def create(
        cls,
        *,
        id: str,  # noqa: A002 - what everybody calls it
        title: str,
        body: str,
        tags: tuple[str, ...],
        author: str | None,
        now: datetime,
    ) -> Decision:
        """Bring a note into being, at version 1."""
        if len(tags) > MAX_TAGS:
            return Rejected(Rule.TOO_MANY_TAGS, f"a note has at most {MAX_TAGS} tags, these are {len(tags)}")
        note = cls(id, title, body, tags, author, Status.ACTIVE, 1, now, now)
        return Accepted(note, NoteCreated(id, 1, now, title, body, tags, author))

    def create_again(self) -> Rejected:
        """Refuse to create a note under this note's id."""
        if self.status is Status.DELETED:
            return self._is_deleted()
        return Rejected(Rule.NOTE_ALREADY_EXISTS, f"there is a note {self.id} already")

    def change_body(self, body: str, expected_version: int | None, now: datetime) -> Decision:
        """Replace the body."""
        if refused := self._refuse(expected_version):
            return refused
        if body == self.body:
            return Accepted(self, None)
        note = self._next(now, body=body)
        return Accepted(note, NoteUpdated(note.id, note.version, note.updated_at, body))

    def _refuse(self, expected_version: int | None) -> Rejected | None:
        """Return the no that stands before any change of an active note, or None."""
        if self.status is Status.DELETED:
            return self._is_deleted()
        if expected_version is not None and expected_version != self.version:
            return Rejected(Rule.VERSION_CONFLICT, f"the note is at version {self.version}, not {expected_version}")
        if self.status is Status.ARCHIVED:
            return Rejected(Rule.NOTE_ARCHIVED, f"note {self.id} is archived; restore it first")
        return None

    def _is_deleted(self) -> Rejected:
        return Rejected(Rule.NOTE_DELETED, f"note {self.id} was deleted")

    def _next(self, now: datetime, *, body: str) -> Self:
        # A clock that went back must not take the note's time back with it.
        return replace(self, body=body, version=self.version + 1, updated_at=max(now, self.updated_at))


def not_found(note_id: str) -> Rejected:
    """Refuse a command on a note that never was."""
    return Rejected(Rule.NOTE_NOT_FOUND, f"there is no note {note_id}")
