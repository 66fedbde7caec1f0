"""Builds, active builds and the processes at work. Every change holds only if nobody else was faster."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.rebuilding.builds import ActiveBuild, Build, Instance, Move

BUILDS: Final = "builds"
ACTIVE_BUILDS: Final = "active_builds"
INSTANCES: Final = "running_instances"
LIVE_S: Final = 10
"""Seconds without a report after which a process counts as gone; each reports twice a second."""
FORGOTTEN_S: Final = 600


class BuildStore:
    """Builds and active builds. Every method raises StoreUnavailable while the store is away."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._builds = database[BUILDS]
        self._active_builds = database[ACTIVE_BUILDS]

    async def all(self) -> list[Build]:
        """Return every build by number, dropped ones too."""
        with driver_errors():
            found = await self._builds.find({}, sort=[("_id", 1)]).to_list(None)
        return [_build(document) for document in found]

    async def add(self, build: Build) -> bool:
        """Keep a new one; False if its number has been taken meanwhile."""
        document = {
            "_id": build.number,
            "projector": build.projector,
            "read_models": list(build.read_models),
            "group": build.group,
            "state": build.state,
            "target": {str(at): offset for at, offset in build.target.items()},
            "created_at": build.created_at,
        }
        with driver_errors():
            try:
                await self._builds.insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    async def complete(self, number: int) -> bool:
        """Turn one that is building complete; False if it is not building."""
        with driver_errors():
            done = await self._builds.update_one({"_id": number, "state": "building"}, {"$set": {"state": "complete"}})
        return bool(done.modified_count)

    async def drop(self, number: int) -> bool:
        """Turn one dropped unless an active build names it as the served one; False if one does."""

        async def work(session: Any) -> bool:
            if await self._active_builds.find_one({"build": number}, session=session) is not None:
                return False
            # `move` writes the same document, so that of a drop and a move at the same time one has to look again.
            await self._builds.update_one({"_id": number}, {"$set": {"state": "dropped"}}, session=session)
            return True

        return await self._database.transaction(work)

    async def active_builds(self) -> dict[str, ActiveBuild]:
        """Return the active builds by read model."""
        with driver_errors():
            found = await self._active_builds.find({}).to_list(None)
        return {
            item["_id"]: ActiveBuild(item["_id"], item["build"], item["previous"], item["changed_at"]) for item in found
        }

    async def point(self, read_model: str, number: int, at: datetime) -> None:
        """Set the active build of a read model that has none; one that is there stays as it is."""
        with driver_errors():
            try:
                await self._active_builds.insert_one(
                    {"_id": read_model, "build": number, "previous": None, "changed_at": at}
                )
            except DuplicateKeyError:
                return

    async def move(self, moves: Sequence[Move], at: datetime) -> bool:
        """Move all these active builds in one step; False, and nothing is moved, if one is not where it should be."""

        async def work(session: Any) -> bool:
            for move in moves:
                target = await self._builds.update_one(
                    {"_id": move.to, "state": "complete"}, {"$set": {"served_at": at}}, session=session
                )
                moved = await self._active_builds.update_one(
                    {"_id": move.read_model, "build": move.away_from},
                    {"$set": {"build": move.to, "previous": move.away_from, "changed_at": at}},
                    session=session,
                )
                if not (target.matched_count and moved.matched_count):
                    return False
            return True

        return await self._database.transaction(work)


def _build(document: Mapping[str, Any]) -> Build:
    return Build(
        number=document["_id"],
        projector=document["projector"],
        read_models=tuple(document["read_models"]),
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
        active_builds = None if instance.active_builds is None else dict(instance.active_builds)
        fields = {
            "seen_at": "$$NOW",
            "active_builds": {"$literal": active_builds},
            "feeds": {"$literal": list(instance.feeds)},
        }
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
        return [Instance(item["_id"], item["active_builds"], item["feeds"]) for item in found]
