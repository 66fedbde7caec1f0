"""The one document of a note: view, summary and body are field projections of it."""

from collections.abc import Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Final, Literal

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
    parse_time,
)
from notes_query.projections.folding import folding
from notes_query.projections.plain_text import same_name
from notes_query.projections.read_model import ASCENDING, DESCENDING, Folded, Index, ReadModel

PREVIEW_LENGTH: Final = 100
TAG_SEPARATOR: Final = " "
"""In no tag."""

Status = Literal["unknown", "active", "archived", "deleted"]


class NoteDocument(Folded):
    """A note as it is stored.

    `status` `unknown`: events were folded, but none that says what the note is; readers see no note.
    `author_key`: what the author is looked for by, whatever its case and however its accents are written.
    `tag_line`: the tags in one string, since an index on a list cannot answer a query by itself, and tags are counted.
    """

    status: Status
    title: str
    body: str
    preview: str
    word_count: int
    tags: list[str]
    tag_line: str
    author: str | None
    author_key: str | None
    created_at: datetime | None
    updated_at: datetime | None


def _created(note: NoteDocument, data: NoteCreated, at: datetime) -> None:
    note["status"] = "active"
    note["created_at"] = note["updated_at"] = at
    _set_content(note, data)


def _updated(note: NoteDocument, data: NoteUpdated, at: datetime) -> None:
    note["updated_at"] = at
    _set_body(note, data.body)


def _renamed(note: NoteDocument, data: NoteRenamed, at: datetime) -> None:
    note["updated_at"] = at
    note["title"] = data.title


def _retagged(note: NoteDocument, data: NoteTagged | NoteUntagged, at: datetime) -> None:
    note["updated_at"] = at
    _set_tags(note, data.tags)


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
    _set_tags(note, ())
    _set_author(note, None)
    _set_body(note, "")


def _snapshotted(note: NoteDocument, data: NoteSnapshotted, _: datetime) -> None:
    note["status"] = data.status
    note["created_at"] = parse_time(data.created_at)
    note["updated_at"] = parse_time(data.updated_at)
    _set_content(note, data)


def _set_content(note: NoteDocument, data: NoteCreated | NoteSnapshotted) -> None:
    note["title"] = data.title
    _set_tags(note, data.tags)
    _set_author(note, data.author)
    _set_body(note, data.body)


def _set_tags(note: NoteDocument, tags: Sequence[str]) -> None:
    note["tags"] = list(tags)
    note["tag_line"] = TAG_SEPARATOR.join(sorted(tags))


def _set_author(note: NoteDocument, author: str | None) -> None:
    note["author"] = author
    note["author_key"] = author_key(author)


def author_key(author: str | None) -> str | None:
    """Return what an author is looked for by, None for none."""
    return None if author is None else same_name(author)


def _set_body(note: NoteDocument, body: str) -> None:
    note["body"] = body
    note["preview"], note["word_count"] = digest_of(body)


def digest_of(body: str) -> tuple[str, int]:
    """Return what a view shows of a body: its preview, and how many words it has."""
    return body[:PREVIEW_LENGTH], len(body.split())


evolve: Final = folding(
    {
        "status": "unknown",
        "title": "",
        "body": "",
        "preview": "",
        "word_count": 0,
        "tags": [],
        "tag_line": "",
        "author": None,
        "author_key": None,
        "created_at": None,
        "updated_at": None,
    },
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

_NEWEST_FIRST: Final = (("status", ASCENDING), ("created_at", DESCENDING), ("_id", DESCENDING))
# What a note does not have costs it no place in an index.
_TAGGED: Final = MappingProxyType({"tags": {"$gt": ""}})
_SIGNED: Final = MappingProxyType({"author_key": {"$gt": ""}})
_WITH_TAG_LINE: Final = MappingProxyType({"tag_line": {"$gt": ""}})

READ_MODEL: Final = ReadModel(
    name="notes",
    version=2,
    projector="notes",
    # Each way to choose from the list has an index that also gives its order.
    indexes=(
        Index("newest_first", _NEWEST_FIRST),
        Index("by_tag", (("tags", ASCENDING), *_NEWEST_FIRST), partial=_TAGGED),
        Index("by_author", (("author_key", ASCENDING), *_NEWEST_FIRST), partial=_SIGNED),
        Index(
            "by_author_and_tag",
            (("author_key", ASCENDING), ("tags", ASCENDING), *_NEWEST_FIRST),
            partial=MappingProxyType({**_SIGNED, **_TAGGED}),
        ),
        Index("tag_counts", (("status", ASCENDING), ("tag_line", ASCENDING)), partial=_WITH_TAG_LINE),
    ),
    evolve=evolve,
)
