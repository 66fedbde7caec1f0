"""The events of notes. An event is about one note, and has its new version and the time at which it was decided."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """The fields of every event. `occurred_at` is an aware UTC datetime, cut to milliseconds."""

    note_id: str
    version: int
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class NoteCreated(Event):
    """The note was created."""

    title: str
    body: str
    tags: tuple[str, ...]
    author: str | None


@dataclass(frozen=True, slots=True)
class NoteUpdated(Event):
    """The body was replaced."""

    body: str


@dataclass(frozen=True, slots=True)
class NoteRenamed(Event):
    """The title was replaced."""

    title: str


@dataclass(frozen=True, slots=True)
class NoteTagged(Event):
    """A tag was added; `tags` are all tags after the change."""

    tag: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoteUntagged(Event):
    """A tag was taken off; `tags` are all tags after the change."""

    tag: str
    tags: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class NoteArchived(Event):
    """The note was put away."""


@dataclass(frozen=True, slots=True)
class NoteRestored(Event):
    """The note was brought back."""


@dataclass(frozen=True, slots=True)
class NoteDeleted(Event):
    """The note was deleted for ever."""


@dataclass(frozen=True, slots=True)
class NoteSnapshotted(Event):
    """The present state at the present version. It is not a change, and no command causes it."""

    title: str
    body: str
    tags: tuple[str, ...]
    author: str | None
    status: str
    created_at: datetime
    updated_at: datetime
