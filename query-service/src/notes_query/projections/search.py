"""Notes as they are searched: title, tags and body in one text index."""

from datetime import datetime
from types import MappingProxyType
from typing import Any, Final

from notes_contracts import (
    EVENTS,
    NoteArchived,
    NoteCreated,
    NoteDeleted,
    NoteRenamed,
    NoteRestored,
    NoteSnapshotted,
    NoteTagged,
    NoteUntagged,
    NoteUpdated,
    parse_time,
)
from notes_query.projections.folding import Apply, folding
from notes_query.projections.note import Status
from notes_query.projections.read_model import TEXT, Folded, Index, ReadModel


class SearchDocument(Folded):
    """What is found by its words, and what a result shows of it. A deleted note has no words left."""

    status: Status
    title: str
    tags: list[str]
    body: str
    updated_at: datetime | None


BLANK: Final = MappingProxyType[str, Any](
    {"status": "unknown", "title": "", "tags": [], "body": "", "updated_at": None}
)


def _created(note: SearchDocument, data: NoteCreated, at: datetime) -> None:
    note["status"] = "active"
    note["title"] = data.title
    note["tags"] = list(data.tags)
    note["body"] = data.body
    note["updated_at"] = at


def _updated(note: SearchDocument, data: NoteUpdated, at: datetime) -> None:
    note["body"] = data.body
    note["updated_at"] = at


def _renamed(note: SearchDocument, data: NoteRenamed, at: datetime) -> None:
    note["title"] = data.title
    note["updated_at"] = at


def _retagged(note: SearchDocument, data: NoteTagged | NoteUntagged, at: datetime) -> None:
    note["tags"] = list(data.tags)
    note["updated_at"] = at


def _archived(note: SearchDocument, _: NoteArchived, at: datetime) -> None:
    note["status"] = "archived"
    note["updated_at"] = at


def _restored(note: SearchDocument, _: NoteRestored, at: datetime) -> None:
    note["status"] = "active"
    note["updated_at"] = at


def _deleted(note: SearchDocument, _: NoteDeleted, at: datetime) -> None:
    note["status"] = "deleted"
    note["title"] = note["body"] = ""
    note["tags"] = []
    note["updated_at"] = at


def _snapshotted(note: SearchDocument, data: NoteSnapshotted, _: datetime) -> None:
    note["status"] = data.status
    note["title"] = data.title
    note["tags"] = list(data.tags)
    note["body"] = data.body
    note["updated_at"] = parse_time(data.updated_at)


APPLY: Final = MappingProxyType[str, Apply](
    {
        "notes.event.note-created.v1": _created,
        "notes.event.note-updated.v1": _updated,
        "notes.event.note-renamed.v1": _renamed,
        "notes.event.note-tagged.v1": _retagged,
        "notes.event.note-untagged.v1": _retagged,
        "notes.event.note-archived.v1": _archived,
        "notes.event.note-restored.v1": _restored,
        "notes.event.note-deleted.v1": _deleted,
        "notes.event.note-snapshotted.v1": _snapshotted,
    }
)

if set(APPLY) != set(EVENTS):
    raise ImportError(f"events without a function, or the other way round: {set(APPLY) ^ set(EVENTS)}")

evolve: Final = folding(BLANK, APPLY)

READ_MODEL: Final = ReadModel(
    name="search",
    version=1,
    projector="background",
    indexes=(
        Index(
            "words",
            (("title", TEXT), ("tags", TEXT), ("body", TEXT)),
            weights={"title": 10, "tags": 5, "body": 1},
            # No stop words and no stems, which belong to one language: notes are written in any.
            language="none",
        ),
    ),
    evolve=evolve,
)
