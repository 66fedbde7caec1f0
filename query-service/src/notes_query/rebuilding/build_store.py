"""Builds, active builds and the processes at work. Every change holds only if nobody else was faster."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import UpdateOne
from pymongo.errors import DuplicateKeyError

from notes_query.mongo.database import Database
from notes_query.mongo.driver import bulk_write, driver_errors
from notes_query.projections.read_model import ASCENDING, Index, Kept, ReadModel
from notes_query.rebuilding.builds import ActiveBuild, Build, Instance, Look, Move, State, edition_of, key_of

BUILDS: Final = "builds"
ACTIVE_BUILDS: Final = "active_builds"
ANSWERED_FROM: Final = "answered_from"
INSTANCES: Final = "running_instances"
GONE_S: Final = 60 * 60
KEPT: Final = (
    # Each look reads all of them, and only one that was killed leaves its document.
    Kept(INSTANCES, (Index("expiry", (("seen_at", ASCENDING),), expire_after_s=GONE_S),)),
)
LIVE_S: Final = 10
"""Seconds without a report after which a process counts as gone; each reports every four."""
_LIVE: Final[Mapping[str, Any]] = {"$expr": {"$gte": ["$seen_at", {"$subtract": ["$$NOW", LIVE_S * 1000]}]}}
ANSWERED: Final = timedelta(seconds=10)
"""Instances note every five seconds what they answer from: whoever answered before the last note is among these."""


class BuildStore:
    """All builds, the active ones of the edition of `read_models`, and the processes at work, as they tell themselves.

    Every method raises StoreUnavailable.
    """

    def __init__(self, database: Database, read_models: Mapping[str, ReadModel]) -> None:
        self._database = database
        self._builds = database[BUILDS]
        self._active_builds = database[ACTIVE_BUILDS]
        self._answered_from = database[ANSWERED_FROM]
        self._instances = database[INSTANCES]
        self._editions = {name: edition_of(read_models, one.projector) for name, one in read_models.items()}

    def key(self, read_model: str) -> str:
        """Return the id of a read model's active build in this edition."""
        return key_of(read_model, self._editions[read_model])

    async def all(self) -> list[Build]:
        """Return every build by number, dropped ones too."""
        with driver_errors():
            found = await self._builds.find({}, sort=[("_id", 1)]).to_list(None)
        return [_build(document) for document in found]

    async def add(self, build: Build) -> bool:
        """Keep a new one; False if its number has been taken meanwhile."""
        document = asdict(build) | {"target": {str(at): offset for at, offset in build.target.items()}}
        document["_id"] = document.pop("number")
        with driver_errors():
            try:
                await self._builds.insert_one(document)
            except DuplicateKeyError:
                return False
        return True

    async def advance(self, number: int, state: State, to: State) -> bool:
        """Turn one that is in `state` to another; False if it is not in it."""
        with driver_errors():
            done = await self._builds.update_one({"_id": number, "state": state}, {"$set": {"state": to}})
        return bool(done.modified_count)

    async def drop(self, number: int) -> bool:
        """Turn one dropped, and let other editions forget it, unless it is active in this edition; False if it is."""
        mine = [self.key(read_model) for read_model in self._editions]

        async def work(session: Any) -> bool:
            if await self._active_builds.find_one({"_id": {"$in": mine}, "build": number}, session=session) is not None:
                return False
            await self._active_builds.delete_many({"build": number}, session=session)
            # `move` writes the same document, so that of a drop and a move at the same time one has to look again.
            await self._builds.update_one({"_id": number}, {"$set": {"state": "dropped"}}, session=session)
            return True

        return await self._database.transaction(work)

    async def look(self) -> Look:
        """Ask for all in one question."""
        # The active builds are read first: the build of each is there before it.
        builds = {"$unionWith": {"coll": BUILDS, "pipeline": [{"$sort": {"_id": 1}}]}}
        live = {"$unionWith": {"coll": INSTANCES, "pipeline": [{"$match": _LIVE}]}}
        with driver_errors():
            found = await self._active_builds.aggregate([{"$unset": "_id"}, builds, live]).to_list(None)
        # By name: a later release may add fields.
        active = [ActiveBuild(*map(one.get, ActiveBuild._fields)) for one in found if "_id" not in one]
        instances = [_instance(document) for document in found if "seen_at" in document]
        return Look([_build(document) for document in found if "group" in document], active, instances)

    def mine(self, active: Iterable[ActiveBuild]) -> dict[str, ActiveBuild]:
        """Return those of this edition by read model."""
        return {one.read_model: one for one in active if self._editions.get(one.read_model) == one.edition}

    async def active_builds(self) -> dict[str, ActiveBuild]:
        """Return the active builds of this edition by read model."""
        return self.mine((await self.look())[1])

    async def served(self) -> dict[str, Build]:
        """Return the builds that readers of this edition get, by read model."""
        builds, active, _ = await self.look()
        known = {build.number: build for build in builds}
        return {name: known[one.build] for name, one in self.mine(active).items()}

    async def point(self, read_model: str, number: int, at: datetime) -> bool:
        """Set the active build of a read model that has none in this edition; one that is there stays as it is.

        Return whether it was set: not to a build that is not complete, such as one that was dropped meanwhile.
        """
        one = ActiveBuild(read_model, self._editions[read_model], number, None, at)

        async def work(session: Any) -> bool:
            # Written, not only read: of a drop and this at the same time one has to look again.
            complete = await self._builds.update_one(
                {"_id": number, "state": "complete"}, {"$set": {"served_at": at}}, session=session
            )
            if not complete.matched_count:
                return False
            only_new = {"$setOnInsert": one._asdict()}
            done = await self._active_builds.update_one(
                {"_id": self.key(read_model)}, only_new, upsert=True, session=session
            )
            return done.upserted_id is not None

        try:
            return await self._database.transaction(work)
        except DuplicateKeyError:
            return False

    async def move(self, moves: Sequence[Move], at: datetime) -> bool:
        """Move all these active builds in one step; False, and nothing is moved, if one is not where it should be."""

        async def work(session: Any) -> bool:
            for move in moves:
                target = await self._builds.update_one(
                    {"_id": move.to, "state": "complete"}, {"$set": {"served_at": at}}, session=session
                )
                moved = await self._active_builds.update_one(
                    {"_id": self.key(move.read_model), "build": move.away_from},
                    {"$set": {"build": move.to, "previous": move.away_from, "changed_at": at}},
                    session=session,
                )
                if not (target.matched_count and moved.matched_count):
                    return False
            return True

        return await self._database.transaction(work)

    async def answered_from(self) -> dict[str, set[int]]:
        """Return the builds that readers of each read model had last, whatever their versions.

        Those are the ones that were noted within ANSWERED before the last note: two releases may have answered at once.
        """
        with driver_errors():
            found = await self._answered_from.find({}).to_list(None)
        answered = {}
        for item in found:
            # An earlier release has noted one build, without a time.
            noted: dict[str, datetime] = item.get("builds", {})
            last = [int(number) for number, at in noted.items() if at >= max(noted.values()) - ANSWERED]
            answered[item["_id"]] = set(last or [item["build"]])
        return answered

    async def answer_from(self, builds: Mapping[str, int]) -> None:
        """Note that readers have these builds now, by read model."""
        now: list[Any] = [
            UpdateOne({"_id": name}, [{"$set": {f"builds.{number}": "$$NOW"}}], upsert=True)
            for name, number in builds.items()
        ]
        if now:
            await bulk_write(self._answered_from, now)

    async def report(self, instance: Instance) -> None:
        """Keep a process that is at work, seen now."""
        active_builds = None if instance.active_builds is None else dict(instance.active_builds)
        told = {"active_builds": active_builds, "feeds": list(instance.feeds)}
        fields = {"seen_at": "$$NOW", **{name: {"$literal": value} for name, value in told.items()}}
        with driver_errors():
            await self._instances.update_one({"_id": instance.id}, [{"$set": fields}], upsert=True)

    async def leave(self, instance_id: str) -> None:
        """Forget one that ends."""
        with driver_errors():
            await self._instances.delete_one({"_id": instance_id})


def _build(document: Mapping[str, Any]) -> Build:
    kept = {name: document[name] for name in ("projector", "versions", "group", "state", "created_at")}
    target = {int(at): offset for at, offset in document["target"].items()}
    return Build(document["_id"], target=target, served_at=document.get("served_at"), **kept)


def _instance(document: Mapping[str, Any]) -> Instance:
    return Instance(document["_id"], document["active_builds"], document["feeds"])
