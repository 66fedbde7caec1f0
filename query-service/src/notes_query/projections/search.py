"""Notes as they are searched: title, tags and body in one text index, and what a search may be filtered by."""

from datetime import datetime
from typing import Final

from notes_contracts import (
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
from notes_query.projections.folding import folding
from notes_query.projections.note import Status, author_key
from notes_query.projections.plain_text import indexed
from notes_query.projections.read_model import TEXT, Folded, Index, ReadModel


class SearchDocument(Folded):
    """What is found by its words. A deleted note has no words left.

    Title and body are what `indexed` makes of them. `author_key` as in NoteDocument.
    """

    status: Status
    title: str
    tags: list[str]
    body: str
    author_key: str | None


def _created(note: SearchDocument, data: NoteCreated, _at: datetime) -> None:
    note["status"] = "active"
    _set_content(note, data)


def _updated(note: SearchDocument, data: NoteUpdated, _at: datetime) -> None:
    note["body"] = indexed(data.body)


def _renamed(note: SearchDocument, data: NoteRenamed, _at: datetime) -> None:
    note["title"] = indexed(data.title)


def _retagged(note: SearchDocument, data: NoteTagged | NoteUntagged, _at: datetime) -> None:
    note["tags"] = list(data.tags)


def _archived(note: SearchDocument, _: NoteArchived, _at: datetime) -> None:
    note["status"] = "archived"


def _restored(note: SearchDocument, _: NoteRestored, _at: datetime) -> None:
    note["status"] = "active"


def _deleted(note: SearchDocument, _: NoteDeleted, _at: datetime) -> None:
    note["status"] = "deleted"
    note["title"] = note["body"] = ""
    note["tags"] = []
    note["author_key"] = None


def _snapshotted(note: SearchDocument, data: NoteSnapshotted, _at: datetime) -> None:
    note["status"] = data.status
    _set_content(note, data)


def _set_content(note: SearchDocument, data: NoteCreated | NoteSnapshotted) -> None:
    note["title"] = indexed(data.title)
    note["tags"] = list(data.tags)
    note["body"] = indexed(data.body)
    note["author_key"] = author_key(data.author)


evolve: Final = folding(
    {"status": "unknown", "title": "", "tags": [], "body": "", "author_key": None},
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
    },
    every=True,
)

READ_MODEL: Final = ReadModel(
    name="search",
    version=2,
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
