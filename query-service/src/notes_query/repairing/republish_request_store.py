"""Which notes command-service was asked to republish, and when it may be asked again."""

from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from pymongo.errors import DuplicateKeyError

from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projections.shape import ASCENDING, Index, Kept

REQUESTS: Final = "republish_requests"
CLAIM: Final = timedelta(minutes=1)
KEPT: Final = (Kept(REQUESTS, (Index("expiry", (("next_at", ASCENDING),), expire_after_s=24 * 60 * 60),)),)


class MongoRequests:
    """Requests."""

    def __init__(self, database: Database) -> None:
        self._requests = database[REQUESTS]

    async def asked_lately(self, note_ids: Collection[str], now: datetime) -> set[str]:
        """See Requests."""
        wanted = {"_id": {"$in": list(note_ids)}, "next_at": {"$gt": now}}
        with driver_errors():
            return {item["_id"] async for item in self._requests.find(wanted, {"_id": 1})}

    async def claim(self, note_id: str, now: datetime) -> int | None:
        """See Requests."""
        with driver_errors():
            try:
                before = await self._requests.find_one_and_update(
                    {"_id": note_id, "next_at": {"$lte": now}},
                    {"$inc": {"asked": 1}, "$set": {"next_at": now + CLAIM}},
                    upsert=True,
                )
            except DuplicateKeyError:  # it is there, and its time has not come
                return None
        return 0 if before is None else int(before["asked"])

    async def again(self, note_id: str, at: datetime) -> None:
        """See Requests."""
        with driver_errors():
            await self._requests.update_one({"_id": note_id}, {"$set": {"next_at": at}})
