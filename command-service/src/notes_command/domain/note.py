"""The note: the aggregate that commands are decided against.

Every method returns a Decision and changes nothing in place. Where several rules could answer, the first of this order
does: deleted, version conflict, archived, nothing would change, too many tags. The whole order, with the rules outside
of the aggregate: docs/architecture.md, "Which rule wins".
"""

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Self

from notes_command.domain.events import (
    Event,
    NoteArchived,
    NoteCreated,
    NoteDeleted,
    NoteRenamed,
    NoteRestored,
    NoteSnapshotted,
    NoteTagged,
    NoteUntagged,
    NoteUpdated,
)

MAX_TAGS = 20


class Rule(StrEnum):
    """The rules that can reject a command. The values are the public error codes."""

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
    """A rule rejects the command; the note stays as it was."""

    rule: Rule
    message: str


Decision = Accepted | Rejected


class Status(StrEnum):
    """The state of a note. A deleted note stays deleted."""

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
        cls, *, note_id: str, title: str, body: str, tags: tuple[str, ...], author: str | None, now: datetime
    ) -> Decision:
        """Create a note at version 1."""
        if too_many := _too_many(tags):
            return too_many
        note = cls(note_id, title, body, tags, author, Status.ACTIVE, 1, now, now)
        return Accepted(note, NoteCreated(*note.stamp(), title, body, tags, author))

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
        return Accepted(note, NoteUpdated(*note.stamp(), body))

    def rename(self, title: str, expected_version: int | None, now: datetime) -> Decision:
        """Replace the title."""
        if refused := self._refuse(expected_version):
            return refused
        if title == self.title:
            return Accepted(self, None)
        note = self._next(now, title=title)
        return Accepted(note, NoteRenamed(*note.stamp(), title))

    def add_tag(self, tag: str, expected_version: int | None, now: datetime) -> Decision:
        """Add a tag behind the others."""
        if refused := self._refuse(expected_version):
            return refused
        if tag in self.tags:
            return Accepted(self, None)
        tags = (*self.tags, tag)
        if too_many := _too_many(tags):
            return too_many
        note = self._next(now, tags=tags)
        return Accepted(note, NoteTagged(*note.stamp(), tag, tags))

    def remove_tag(self, tag: str, expected_version: int | None, now: datetime) -> Decision:
        """Take a tag off."""
        if refused := self._refuse(expected_version):
            return refused
        if tag not in self.tags:
            return Accepted(self, None)
        tags = tuple(other for other in self.tags if other != tag)
        note = self._next(now, tags=tags)
        return Accepted(note, NoteUntagged(*note.stamp(), tag, tags))

    def archive(self, expected_version: int | None, now: datetime) -> Decision:
        """Put the note away."""
        if refused := self._refuse(expected_version, archived_too=False):
            return refused
        if self.status is Status.ARCHIVED:
            return Accepted(self, None)
        note = self._next(now, status=Status.ARCHIVED)
        return Accepted(note, NoteArchived(*note.stamp()))

    def restore(self, expected_version: int | None, now: datetime) -> Decision:
        """Bring the note back."""
        if refused := self._refuse(expected_version, archived_too=False):
            return refused
        if self.status is Status.ACTIVE:
            return Accepted(self, None)
        note = self._next(now, status=Status.ACTIVE)
        return Accepted(note, NoteRestored(*note.stamp()))

    def delete(self, expected_version: int | None, now: datetime) -> Decision:
        """Delete the note for ever: the content goes at once; id, version and times stay."""
        if refused := self._refuse(expected_version, archived_too=False):
            return refused
        note = self._next(now, title="", body="", tags=(), author=None, status=Status.DELETED)
        return Accepted(note, NoteDeleted(*note.stamp()))

    def snapshot(self) -> NoteSnapshotted:
        """Return the present state as an event at the present version."""
        return NoteSnapshotted(
            *self.stamp(), self.title, self.body, self.tags, self.author, self.status, self.created_at, self.updated_at
        )

    def _refuse(self, expected_version: int | None, *, archived_too: bool = True) -> Rejected | None:
        """Return why the note must not change, or None. `archived_too`: an archived note must not change either."""
        if self.status is Status.DELETED:
            return self._is_deleted()
        if expected_version is not None and expected_version != self.version:
            return Rejected(Rule.VERSION_CONFLICT, f"the note is at version {self.version}, not {expected_version}")
        if archived_too and self.status is Status.ARCHIVED:
            return Rejected(Rule.NOTE_ARCHIVED, f"note {self.id} is archived; restore it first")
        return None

    def _is_deleted(self) -> Rejected:
        return Rejected(Rule.NOTE_DELETED, f"note {self.id} was deleted")

    def _next(self, now: datetime, **changes: Any) -> Self:
        # If the clock was set back, the note's time must not go back.
        return replace(self, version=self.version + 1, updated_at=max(now, self.updated_at), **changes)

    def stamp(self) -> tuple[str, int, datetime]:
        """Return the first fields of every event of this state: note id, version, time."""
        return self.id, self.version, self.updated_at


def _too_many(tags: tuple[str, ...]) -> Rejected | None:
    if len(tags) <= MAX_TAGS:
        return None
    return Rejected(Rule.TOO_MANY_TAGS, f"a note has at most {MAX_TAGS} tags, these are {len(tags)}")


def not_found(note_id: str) -> Rejected:
    """Reject a command on an unknown note."""
    return Rejected(Rule.NOTE_NOT_FOUND, f"there is no note {note_id}")
