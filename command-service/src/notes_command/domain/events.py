"""What happened to a note. An event is about one note, carries its new version and the moment it was decided."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Event:
    """What every event has. `occurred_at` is an aware UTC datetime, cut to milliseconds."""

    note_id: str
    version: int
    occurred_at: datetime


@dataclass(frozen=True, slots=True)
class NoteCreated(Event):
    """The note came into being."""

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
    """The present state at the present version; not a change, and made by nobody's command."""

    title: str
    body: str
    tags: tuple[str, ...]
    author: str | None
    status: str
    created_at: datetime
    updated_at: datetime
