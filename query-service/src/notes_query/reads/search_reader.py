"""Notes by the words in them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from notes_query.mongo.database import Database
from notes_query.projecting.ports import View
from notes_query.projecting.serving import Serving
from notes_query.reads.cursor import Rank
from notes_query.reads.search_notes import SearchReader
from notes_query.reads.served import Served
from notes_query.reads.share import Share

_SCORE: Final = {"$meta": "textScore"}
_FOUND: Final = dict.fromkeys(("title", "tags", "status", "version", "updated_at", "body"), 1)
_VISIBLE: Final = ("active", "archived")

T = TypeVar("T")


class MongoSearching:
    """Searching, and SearchReader. Ranks first, and then the documents of one page alone: bodies are large."""

    def __init__(self, database: Database, serving: Serving, share: Share) -> None:
        self._served = Served(database.for_queries, serving)
        self._share = share

    async def __call__(self, search: Callable[[SearchReader], T]) -> T:
        """See Searching."""
        return await self._share.run(lambda: search(self))

    def ranks(self, text: str, after: Rank | None, limit: int) -> list[Rank]:
        """See SearchReader."""
        found = self._served["search"].delegate.aggregate(ranks_pipeline(text, after, limit), batchSize=limit)
        return [Rank(item["score"], item["_id"]) for item in found]

    def found(self, note_ids: Sequence[str]) -> Mapping[str, View]:
        """See SearchReader. Out of the notes: a search document lags, and may hold what was deleted since."""
        query = {"_id": {"$in": list(note_ids)}, "status": {"$in": list(_VISIBLE)}}
        return {item["_id"]: item for item in self._served["notes"].delegate.find(query, _FOUND)}


def ranks_pipeline(text: str, after: Rank | None, limit: int) -> list[dict[str, Any]]:
    """Return the aggregation of scores and ids.

    A score depends on the note and the text alone, so a page can go on where another ended.
    """
    pipeline: list[dict[str, Any]] = [
        # Not by status, which would read every note once more: a deleted one has no words, and `found` looks.
        {"$match": {"$text": {"$search": text}}},
        {"$project": {"score": _SCORE}},
    ]
    if after is not None:
        below = [{"score": {"$lt": after.score}}, {"score": after.score, "_id": {"$gt": after.note_id}}]
        pipeline.append({"$match": {"$or": below}})
    return [*pipeline, {"$sort": {"score": -1, "_id": 1}}, {"$limit": limit}]
