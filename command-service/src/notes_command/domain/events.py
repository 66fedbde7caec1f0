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
