"""Notes for queries: straight from the documents, without the body."""

from collections.abc import Sequence
from typing import Any, Final

from notes_query.adapters.mongo.database import PARKED, Database, away_is_unavailable
from notes_query.application.cursor import Position
from notes_query.application.ports import View
from notes_query.projections.note import SHAPE

# Plain dicts, since the driver copies them.
_VIEW: Final = {"body": 0, "event_id": 0}
_SUMMARY: Final = dict.fromkeys(("title", "tags", "status", "version", "created_at", "updated_at"), 1)


class MongoNoteReader:
    """The queries' store."""

    def __init__(self, database: Database) -> None:
        self._notes = database[SHAPE.collection]
        self._parked = database[PARKED]

    async def view(self, note_id: str) -> View | None:
        """See NoteReader."""
        with away_is_unavailable():
            found: View | None = await self._notes.find_one({"_id": note_id}, _VIEW)
        return found

    async def page(self, statuses: Sequence[str], after: Position | None, limit: int) -> list[View]:
        """See NoteReader."""
        with away_is_unavailable():
            found: list[View] = await page_query(self._notes, statuses, after, limit).to_list(None)
        return found

    async def has_waiting(self, note_id: str) -> bool:
        """See NoteReader."""
        with away_is_unavailable():
            return await self._parked.find_one({"kind": "gap", "note_id": note_id}, {"_id": 1}) is not None


def page_query(notes: Any, statuses: Sequence[str], after: Position | None, limit: int) -> Any:
    """Return the cursor of a page; the index `newest_first` gives it in order, one status or several."""
    query: dict[str, Any] = {"status": statuses[0] if len(statuses) == 1 else {"$in": list(statuses)}}
    if after is not None:
        # Said twice: the first bounds the scan of the index, the second settles what was created at the same time.
        query["created_at"] = {"$lte": after.created_at}
        query["$or"] = [
            {"created_at": {"$lt": after.created_at}},
            {"created_at": after.created_at, "_id": {"$lt": after.note_id}},
        ]
    return notes.find(query, _SUMMARY, sort=[("created_at", -1), ("_id", -1)], limit=limit, batch_size=limit)
