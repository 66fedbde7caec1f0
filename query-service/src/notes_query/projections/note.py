"""The one document of a note: view, summary and body are field projections of it."""

from collections.abc import Callable
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, Literal, TypedDict

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
from notes_query.projections.recorded_event import RecordedEvent
from notes_query.projections.shape import ASCENDING, DESCENDING, Index, Shape

PREVIEW_LENGTH: Final = 100

Status = Literal["unknown", "active", "archived", "deleted"]


class NoteDocument(TypedDict):
    """A note as it is stored.

    `event_id`: the event that made this version, to tell a repeat from a fork; null if that cannot be told.
    `parked`: later versions have arrived and wait for a missing one.
    `status` `unknown`: events were folded, but none that says what the note is; readers see no note.
    """

    _id: str
    version: int
    event_id: str | None
    parked: bool
    status: Status
    title: str
    body: str
    preview: str
    word_count: int
    tags: list[str]
    author: str | None
    created_at: datetime | None
    updated_at: datetime | None


SHAPE: Final = Shape(
    collection="notes",
    indexes=(Index("newest_first", (("status", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING))),),
)


def evolve(document: NoteDocument | None, event: RecordedEvent) -> NoteDocument:
    """Return the document after `event`, which is the next version; the given one is left as it was.

    An event of an unknown type advances the version and changes nothing else.
    """
    after = _blank(event.note_id) if document is None else document.copy()
    if event.data is not None and event.occurred_at is not None:
        APPLY[event.type](after, event.data, event.occurred_at)
    after["version"] = event.version
    # A snapshot stands for the event of its version, whose id it does not tell.
    after["event_id"] = None if event.is_snapshot else event.id
    return after


def _blank(note_id: str) -> NoteDocument:
    return NoteDocument(
        _id=note_id,
        version=0,
        event_id=None,
        parked=False,
        status="unknown",
        title="",
        body="",
        preview="",
        word_count=0,
        tags=[],
        author=None,
        created_at=None,
        updated_at=None,
    )


def _created(note: NoteDocument, data: NoteCreated, at: datetime) -> None:
    note["status"] = "active"
    note["title"] = data.title
    note["tags"] = list(data.tags)
    note["author"] = data.author
    note["created_at"] = note["updated_at"] = at
    _set_body(note, data.body)


def _updated(note: NoteDocument, data: NoteUpdated, at: datetime) -> None:
    note["updated_at"] = at
    _set_body(note, data.body)


def _renamed(note: NoteDocument, data: NoteRenamed, at: datetime) -> None:
    note["updated_at"] = at
    note["title"] = data.title


def _retagged(note: NoteDocument, data: NoteTagged | NoteUntagged, at: datetime) -> None:
    note["updated_at"] = at
    note["tags"] = list(data.tags)


def _archived(note: NoteDocument, _: NoteArchived, at: datetime) -> None:
    note["updated_at"] = at
    note["status"] = "archived"


def _restored(note: NoteDocument, _: NoteRestored, at: datetime) -> None:
    note["updated_at"] = at
    note["status"] = "active"


def _deleted(note: NoteDocument, _: NoteDeleted, at: datetime) -> None:
    note["updated_at"] = at
    note["status"] = "deleted"
    note["title"] = ""
    note["tags"] = []
    note["author"] = None
    _set_body(note, "")


def _snapshotted(note: NoteDocument, data: NoteSnapshotted, _: datetime) -> None:
    note["status"] = data.status
    note["title"] = data.title
    note["tags"] = list(data.tags)
    note["author"] = data.author
    note["created_at"] = parse_time(data.created_at)
    note["updated_at"] = parse_time(data.updated_at)
    _set_body(note, data.body)


def _set_body(note: NoteDocument, body: str) -> None:
    note["body"] = body
    note["preview"] = body[:PREVIEW_LENGTH]
    note["word_count"] = len(body.split())


APPLY: Final = MappingProxyType[str, Callable[[NoteDocument, Any, datetime], None]](
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
