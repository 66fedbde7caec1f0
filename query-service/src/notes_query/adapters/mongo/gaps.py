"""Gaps, put together from the waiting events and the versions that did not come."""

from typing import Any, Final

from notes_query.adapters.mongo.database import Database
from notes_query.adapters.mongo.failures import driver_errors
from notes_query.adapters.mongo.missing_versions import MISSING
from notes_query.application.await_versions import Missing
from notes_query.application.gaps import Gap, Waiting, gaps_of
from notes_query.application.serving import Serving, parked_of

_COUNTED: Final = {
    "_id": "$note_id",
    "events": {"$sum": {"$cond": [{"$eq": ["$kind", "gap"]}, 1, 0]}},
    "forks": {"$sum": {"$cond": [{"$eq": ["$kind", "fork"]}, 1, 0]}},
    "since": {"$min": "$parked_at"},
}


class MongoGaps:
    """Gaps of the served generation."""

    def __init__(self, database: Database, serving: Serving) -> None:
        self._database = database
        self._serving = serving
        self._missing = database[MISSING]

    async def find(self, limit: int, note_id: str | None = None) -> list[Gap]:
        """See Gaps."""
        served = self._serving.collection("notes")
        steps: list[dict[str, Any]] = [
            # Both kinds by name: the index begins with them, and holds all that is asked for.
            {"$match": {"kind": {"$in": ["gap", "fork"]}} | ({} if note_id is None else {"note_id": note_id})},
            {"$group": _COUNTED},
            {"$sort": {"since": 1, "_id": 1}},
            {"$limit": limit},
        ]
        with driver_errors():
            apart = [
                Waiting(item["_id"], item["events"], item["forks"], item["since"])
                async for item in self._database[parked_of(served)].aggregate(steps)
            ]
            missing = await self._missing.find(
                {} if note_id is None else {"_id": note_id}, sort=[("since", 1), ("_id", 1)], limit=limit
            ).to_list(None)
            late = [Missing(item["_id"], item["version"], item["since"]) for item in missing]
            ids = list({one.note_id for one in apart} | {one.note_id for one in late})
            documents = await self._database[served].find({"_id": {"$in": ids}}, {"version": 1}).to_list(None)
        return gaps_of(apart, late, {item["_id"]: item["version"] for item in documents})[:limit]
