"""Notes for queries: straight from the documents, and no more of them than is shown."""

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from notes_query.mongo.database import MISSING_VERSIONS, Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.ports import View
from notes_query.projecting.serving import Serving, parked_of
from notes_query.projections.note import TAG_SEPARATOR
from notes_query.reads.count_tags import TagCount
from notes_query.reads.cursor import Position
from notes_query.reads.list_notes import Chosen
from notes_query.reads.served import Served
from notes_query.reads.share import Share

# Plain dicts, since the driver copies them.
VIEW: Final = dict.fromkeys(("body", "event_id", "ids", "snapshot", "tag_line"), 0)
_BODY: Final = dict.fromkeys(("version", "status", "parked", "body"), 1)
_SUMMARY: Final = dict.fromkeys(("title", "tags", "status", "version", "created_at", "updated_at"), 1)
_LATEST: Final = datetime.max.replace(tzinfo=UTC)
_COUNTS: Final[tuple[dict[str, Any], ...]] = (
    # With `tag_line` in it, the index holds all that is asked for: no document is read.
    {"$match": {"status": "active", "tag_line": {"$gt": ""}}},
    {"$group": {"_id": "$tag_line", "notes": {"$sum": 1}}},
    {"$project": {"tag": {"$split": ["$_id", TAG_SEPARATOR]}, "notes": 1}},
    {"$unwind": "$tag"},
    {"$group": {"_id": "$tag", "notes": {"$sum": "$notes"}}},
    {"$sort": {"notes": -1, "_id": 1}},
)


class MongoNoteReader:
    """NoteReader, BodyReader, NotePages and TagReader; the last two read in `share`."""

    def __init__(self, database: Database, serving: Serving, share: Share) -> None:
        self._served = Served(database.for_queries, serving)
        self._share = share
        self._missing = database[MISSING_VERSIONS]

    async def view(self, note_id: str) -> View | None:
        """See NoteReader."""
        return await self._newest(note_id, VIEW)

    async def body(self, note_id: str) -> View | None:
        """See BodyReader."""
        return await self._newest(note_id, _BODY)

    async def _newest(self, note_id: str, fields: Mapping[str, int]) -> View | None:
        """Return the note; for a moment after a switch the newer of both, so that no reader sees it get older."""
        served, before = self._served["notes"], self._served.before("notes")
        with driver_errors():
            found: View | None = await served.find_one({"_id": note_id}, fields)
            if before is None:
                return found
            return newer(found, await before.find_one({"_id": note_id}, fields))

    async def has_waiting(self, note_id: str) -> bool:
        """See NoteReader."""
        parked = self._served.beside("notes", parked_of)
        with driver_errors():
            found = await asyncio.gather(
                parked.find_one({"kind": "gap", "note_id": note_id}, {"_id": 1}),
                self._missing.find_one({"_id": note_id}, {"_id": 1}),
            )
        return any(found)

    async def page(self, chosen: Chosen, after: Position | None, limit: int) -> list[View]:
        """See NotePages."""
        return await self._share.run(
            lambda: list(page_query(self._served["notes"].delegate, chosen, after, limit)),
        )

    async def tags(self) -> list[TagCount]:
        """See TagReader."""
        return await self._share.run(
            lambda: [
                TagCount(item["_id"], item["notes"])
                for item in self._served["notes"].delegate.aggregate(tags_pipeline())
            ]
        )


def newer(served: View | None, before: View | None) -> View | None:
    """Return the newer one of a note's documents, the one that is served now if they are as new."""
    if served is None or before is None:
        return served or before
    return before if before["version"] > served["version"] else served


def page_query(notes: Any, chosen: Chosen, after: Position | None, limit: int) -> Any:
    """Return the cursor of a page; an index gives it in order, whatever is chosen by, one status or several."""
    statuses = chosen.statuses
    query: dict[str, Any] = {"status": statuses[0] if len(statuses) == 1 else {"$in": list(statuses)}}
    if chosen.tag is not None:
        query["tags"] = chosen.tag
    if chosen.author is not None:
        query["author"] = chosen.author
    # A note whose creation is not known has no time there, and no place in the order.
    query["created_at"] = {"$lte": _LATEST}
    if after is not None:
        # Said twice: the first bounds the scan of the index, the second settles what was created at the same time.
        query["created_at"] = {"$lte": after.created_at}
        query["$or"] = [
            {"created_at": {"$lt": after.created_at}},
            {"created_at": after.created_at, "_id": {"$lt": after.note_id}},
        ]
    return notes.find(query, _SUMMARY, sort=[("created_at", -1), ("_id", -1)], limit=limit, batch_size=limit)


def tags_pipeline() -> list[dict[str, Any]]:
    """Return the aggregation of the tag counts."""
    return [dict(stage) for stage in _COUNTS]
