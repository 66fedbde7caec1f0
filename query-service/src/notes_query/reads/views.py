"""What the routes send: models for the documentation, and plain functions that write the same."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from notes_contracts import Outcome, format_time
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp
from notes_query.projecting.ports import View


class NoteView(BaseModel):
    """A note without its body. `preview`: its first 100 characters. Times: those of the first and the last event."""

    id: Id
    title: str
    preview: str
    word_count: int
    tags: list[str]
    author: str | None
    status: Literal["active", "archived"]
    version: int
    created_at: Timestamp
    updated_at: Timestamp


class NoteSummary(BaseModel):
    """A note in a list."""

    id: Id
    title: str
    tags: list[str]
    status: Literal["active", "archived"]
    version: int
    updated_at: Timestamp


class NotePage(BaseModel):
    """A page of notes; `next_cursor` is null on the last one."""

    items: list[NoteSummary]
    next_cursor: str | None


class BodyView(BaseModel):
    """The whole body of a note."""

    id: Id
    version: int
    body: str


class FoundNote(NoteSummary):
    """A note that was searched for; `snippet`: plain text around the first word that was found."""

    snippet: str


class SearchPage(BaseModel):
    """A page of notes that were found, best first; `next_cursor` is null on the last one."""

    items: list[FoundNote]
    next_cursor: str | None


class TagCountView(BaseModel):
    """A tag, and how many active notes have it."""

    tag: str
    count: int


class TagList(BaseModel):
    """All tags of active notes, the most frequent first."""

    items: list[TagCountView]


class HistoryEntry(BaseModel):
    """One version of a note. `type` is the event's, `command_id` its cause; null where the event does not tell."""

    version: int
    type: str
    occurred_at: Timestamp | None
    command_id: Id | None


class HistoryPage(BaseModel):
    """A page of versions, in order; `next_after_version` is null on the last one."""

    items: list[HistoryEntry]
    next_after_version: int | None


OutcomeView = Outcome


def note_view(note: View) -> dict[str, Any]:
    """Return what NoteView describes."""
    return {
        "id": note["_id"],
        "title": note["title"],
        "preview": note["preview"],
        "word_count": note["word_count"],
        "tags": note["tags"],
        "author": note["author"],
        "status": note["status"],
        "version": note["version"],
        "created_at": _time(note["created_at"]),
        "updated_at": _time(note["updated_at"]),
    }


def note_summary(note: View) -> dict[str, Any]:
    """Return what NoteSummary describes."""
    return {
        "id": note["_id"],
        "title": note["title"],
        "tags": note["tags"],
        "status": note["status"],
        "version": note["version"],
        "updated_at": _time(note["updated_at"]),
    }


def body_view(note: View) -> dict[str, Any]:
    """Return what BodyView describes."""
    return {"id": note["_id"], "version": note["version"], "body": note["body"]}


def history_entry(entry: View) -> dict[str, Any]:
    """Return what HistoryEntry describes."""
    return {
        "version": entry["version"],
        "type": entry["type"],
        "occurred_at": _time(entry["occurred_at"]),
        "command_id": entry["command_id"],
    }


def outcome_view(outcome: Mapping[str, Any]) -> dict[str, Any]:
    """Return what Outcome describes."""
    return {
        "command_id": outcome["_id"],
        "note_id": outcome["note_id"],
        "status": outcome["status"],
        "version": outcome["version"],
        "error": outcome["error"],
        "at": format_time(outcome["at"]),
        "digest": outcome["digest"],
    }


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else format_time(moment)
