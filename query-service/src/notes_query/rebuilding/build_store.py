"""Builds, active builds and the processes at work. Every change holds only if nobody else was faster."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.rebuilding.builds import ActiveBuild, Build, Instance, Move

GENERATIONS: Final = "generations"
POINTERS: Final = "pointers"
INSTANCES: Final = "instances"
LIVE_S: Final = 10
"""Seconds without a report after which a process counts as gone; each reports twice a second."""
FORGOTTEN_S: Final = 600


class BuildStore:
    """Generations and pointers. Every method raises StoreUnavailable while the store is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._generations = database[GENERATIONS]
        self._pointers = database[POINTERS]

    async def all(self) -> list[Build]:
        """Return every generation by number, dropped ones too."""
        with driver_errors():
            found = await self._generations.find({}, sort=[("_id", 1)]).to_list(None)
        return [_generation(document) for document in found]

    async def add(self, generation: Build) -> bool:
        """Keep a new one; False if its number has been taken meanwhile."""
        document = {
            "_id": generation.number,
            "lane": generation.lane,
            "shapes": list(generation.shapes),
            "group": generation.group,
            "state": generation.state,
            "target": {str(at): offset for at, offset in generation.target.items()},
            "created_at": generation.created_at,
        }
        with driver_errors():
            try:
                await self._generations.insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    async def complete(self, number: int) -> bool:
        """Turn one that is building complete; False if it is not building."""
        with driver_errors():
            done = await self._generations.update_one(
                {"_id": number, "state": "building"}, {"$set": {"state": "complete"}}
            )
        return bool(done.modified_count)

    async def drop(self, number: int) -> bool:
        """Turn one dropped unless a pointer names it as the served one; False if one does."""

        async def work(session: Any) -> bool:
            if await self._pointers.find_one({"generation": number}, session=session) is not None:
                return False
            # `move` writes the same document, so that of a drop and a move at the same time one has to look again.
            await self._generations.update_one({"_id": number}, {"$set": {"state": "dropped"}}, session=session)
            return True

        return await self._database.transaction(work)

    async def pointers(self) -> dict[str, ActiveBuild]:
        """Return the pointers by shape."""
        with driver_errors():
            found = await self._pointers.find({}).to_list(None)
        return {
            item["_id"]: ActiveBuild(item["_id"], item["generation"], item["previous"], item["changed_at"])
            for item in found
        }

    async def point(self, shape: str, number: int, at: datetime) -> None:
        """Set the pointer of a shape that has none; one that is there stays as it is."""
        with driver_errors():
            try:
                await self._pointers.insert_one(
                    {"_id": shape, "generation": number, "previous": None, "changed_at": at}
                )
            except DuplicateKeyError:
                return

    async def move(self, moves: Sequence[Move], at: datetime) -> bool:
        """Move all these pointers in one step; False, and nothing is moved, if one is not where it should be."""

        async def work(session: Any) -> bool:
            for move in moves:
                target = await self._generations.update_one(
                    {"_id": move.to, "state": "complete"}, {"$set": {"served_at": at}}, session=session
                )
                moved = await self._pointers.update_one(
                    {"_id": move.shape, "generation": move.away_from},
                    {"$set": {"generation": move.to, "previous": move.away_from, "changed_at": at}},
                    session=session,
                )
                if not (target.matched_count and moved.matched_count):
                    return False
            return True

        return await self._database.transaction(work)


def _generation(document: Mapping[str, Any]) -> Build:
    return Build(
        number=document["_id"],
        lane=document["lane"],
        shapes=tuple(document["shapes"]),
        group=document["group"],
        state=document["state"],
        target={int(at): offset for at, offset in document["target"].items()},
        created_at=document["created_at"],
    )


class InstanceStore:
    """The processes at work, as they report themselves."""

    def __init__(self, database: Database) -> None:
        self._instances = database[INSTANCES]

    async def report(self, instance: Instance) -> None:
        """Keep it, seen now."""
        pointers = None if instance.pointers is None else dict(instance.pointers)
        fields = {"seen_at": "$$NOW", "pointers": {"$literal": pointers}, "feeds": {"$literal": list(instance.feeds)}}
        with driver_errors():
            await self._instances.update_one({"_id": instance.id}, [{"$set": fields}], upsert=True)

    async def leave(self, instance_id: str) -> None:
        """Forget one that ends."""
        with driver_errors():
            await self._instances.delete_one({"_id": instance_id})

    async def live(self) -> list[Instance]:
        """Return those that were seen within the last LIVE_S seconds."""
        since: dict[str, Any] = {"$subtract": ["$$NOW", LIVE_S * 1000]}
        with driver_errors():
            found = await self._instances.find({"$expr": {"$gte": ["$seen_at", since]}}).to_list(None)
        return [Instance(item["_id"], item["pointers"], item["feeds"]) for item in found]
