"""What the release left behind that had no versions in its names: it is listed, and dropped by hand."""

from typing import Any, Final

from notes_query.errors import Refused
from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.serving import parked_of
from notes_query.rebuilding.build_store import LIVE_S

_RECORDS: Final = ("pointers", "instances", "generations")
"""In the order in which they are dropped: the last one names the others."""


class Unversioned:
    """Nothing of it is read: read models are built anew in their first version. Every method raises StoreUnavailable.

    The release before goes on with it until it is dropped, so that it can be rolled back to.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def collections(self) -> list[str]:
        """Return the names of its collections that are there."""
        with driver_errors():
            there = set(await self._database["generations"].database.list_collection_names())
            found: list[dict[str, Any]] = await self._database["generations"].find({}).to_list(None)
        documents = [f"{name}_{one['_id']}" for one in found for name in one["shapes"]]
        return [name for one in documents for name in (one, parked_of(one)) if name in there] + [
            name for name in _RECORDS if name in there
        ]

    async def drop(self) -> list[str]:
        """Drop them; return their names. Raises Refused while an instance of that release is at work."""
        since: dict[str, Any] = {"$subtract": ["$$NOW", LIVE_S * 1000]}
        with driver_errors():
            live = await self._database["instances"].find({"$expr": {"$gte": ["$seen_at", since]}}).to_list(None)
        if live:
            raise Refused(f"still used by {', '.join(str(one['_id']) for one in live)}, of the release before")
        names = await self.collections()
        with driver_errors():
            for name in names:
                await self._database[name].drop()
        return names
