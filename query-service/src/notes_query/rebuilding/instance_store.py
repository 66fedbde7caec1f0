"""The processes at work. The server's clock is the only one that counts here."""

from typing import Any, Final

from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.rebuilding.builds import Instance

INSTANCES: Final = "instances"
LIVE_S: Final = 10
"""Seconds without a report after which a process counts as gone; each reports twice a second."""
FORGOTTEN_S: Final = 600


class MongoInstanceStore:
    """InstanceStore."""

    def __init__(self, database: Database) -> None:
        self._instances = database[INSTANCES]

    async def report(self, instance: Instance) -> None:
        """See InstanceStore."""
        pointers = None if instance.pointers is None else dict(instance.pointers)
        fields = {"seen_at": "$$NOW", "pointers": {"$literal": pointers}, "feeds": {"$literal": list(instance.feeds)}}
        with driver_errors():
            await self._instances.update_one({"_id": instance.id}, [{"$set": fields}], upsert=True)

    async def leave(self, instance_id: str) -> None:
        """See InstanceStore."""
        with driver_errors():
            await self._instances.delete_one({"_id": instance_id})

    async def live(self) -> list[Instance]:
        """See InstanceStore."""
        since: dict[str, Any] = {"$subtract": ["$$NOW", LIVE_S * 1000]}
        with driver_errors():
            found = await self._instances.find({"$expr": {"$gte": ["$seen_at", since]}}).to_list(None)
        return [Instance(item["_id"], item["pointers"], item["feeds"]) for item in found]
