"""Last versions that did not come. They are of notes, not of a generation: a switch changes nothing about them."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, Final

from pymongo import DeleteOne, UpdateOne

from notes_query.mongo.bulk import bulk_write
from notes_query.mongo.database import MISSING_VERSIONS, Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.serving import Serving
from notes_query.projections.shape import ASCENDING, Index, Kept
from notes_query.repairing.await_versions import Level, Missing

KEPT: Final = (Kept(MISSING_VERSIONS, (Index("by_age", (("since", ASCENDING), ("_id", ASCENDING))),)),)


class MongoMissingVersions:
    """MissingVersions."""

    def __init__(self, database: Database) -> None:
        self._missing = database[MISSING_VERSIONS]

    async def add(self, versions: Mapping[str, int], since: datetime) -> None:
        """See MissingVersions."""
        operations: list[Any] = [
            UpdateOne({"_id": note_id}, {"$max": {"version": version}, "$setOnInsert": {"since": since}}, upsert=True)
            for note_id, version in versions.items()
        ]
        if taken := await bulk_write(
            self._missing, operations
        ):  # two upserts of one note at once: repeat the later one
            await bulk_write(self._missing, [operations[place] for place in taken])

    async def oldest(self, limit: int) -> list[Missing]:
        """See MissingVersions."""
        with driver_errors():
            found = await self._missing.find(sort=[("since", 1), ("_id", 1)], limit=limit).to_list(None)
        return [Missing(item["_id"], item["version"], item["since"]) for item in found]

    async def page(self, after: str, limit: int) -> list[Missing]:
        """See MissingVersions."""
        with driver_errors():
            found = await self._missing.find({"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit).to_list(None)
        return [Missing(item["_id"], item["version"], item["since"]) for item in found]

    async def of(self, note_ids: Collection[str]) -> list[Missing]:
        """See MissingVersions."""
        with driver_errors():
            found = await self._missing.find({"_id": {"$in": list(note_ids)}}).to_list(None)
        return [Missing(item["_id"], item["version"], item["since"]) for item in found]

    async def found(self, reached: Mapping[str, int]) -> None:
        """See MissingVersions."""
        operations: list[Any] = [
            DeleteOne({"_id": note_id, "version": {"$lte": version}}) for note_id, version in reached.items()
        ]
        await bulk_write(self._missing, operations)

    async def forget(self, note_ids: Collection[str]) -> None:
        """See MissingVersions."""
        with driver_errors():
            await self._missing.delete_many({"_id": {"$in": list(note_ids)}})

    async def count(self) -> int:
        """See MissingVersions."""
        with driver_errors():
            return int(await self._missing.count_documents({}))


class MongoNoteLevels:
    """NoteLevels."""

    def __init__(self, database: Database, serving: Serving) -> None:
        self._database = database
        self._serving = serving

    async def of(self, note_ids: Collection[str]) -> dict[str, Level]:
        """See NoteLevels."""
        notes = self._database[self._serving.collection("notes")]
        with driver_errors():
            found = await notes.find({"_id": {"$in": list(note_ids)}}, {"version": 1, "parked": 1}).to_list(None)
        return {item["_id"]: Level(item["version"], item["parked"]) for item in found}

    async def park(self, versions: Mapping[str, int]) -> None:
        """See NoteLevels."""
        notes = self._database[self._serving.collection("notes")]
        operations: list[Any] = [
            UpdateOne({"_id": note_id, "version": version}, {"$set": {"parked": True}})
            for note_id, version in versions.items()
        ]
        await bulk_write(notes, operations)
