"""What the routes send: models for the documentation, and plain functions that write the same."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from notes_contracts import Outcome, format_time
from notes_query.application.ports import View


class NoteView(BaseModel):
    """A note without its body. `preview`: its first 100 characters. Times: those of the first and the last event."""

    id: str
    title: str
    preview: str
    word_count: int
    tags: list[str]
    author: str | None
    status: Literal["active", "archived"]
    version: int
    created_at: str
    updated_at: str


class NoteSummary(BaseModel):
    """A note in a list."""

    id: str
    title: str
    tags: list[str]
    status: Literal["active", "archived"]
    version: int
    updated_at: str


class NotePage(BaseModel):
    """A page of notes; `next_cursor` is null on the last one."""

    items: list[NoteSummary]
    next_cursor: str | None


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
