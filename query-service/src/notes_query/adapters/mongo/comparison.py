"""Two generations of a shape side by side, chunk by chunk."""

from collections.abc import Sequence
from typing import Any, Final

from notes_query.adapters.mongo.database import Database, away_is_unavailable
from notes_query.application.generations import Generation
from notes_query.application.serving import collection_of, parked_of
from notes_query.application.switch_generation import Behind
from notes_query.projections.shape import Shape

CHUNK: Final = 1000


class MongoComparison:
    """Comparison."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def behind(self, shape: Shape, old: str, new: str) -> list[Behind]:
        """See Comparison. Reads ids and versions only, by the index on `_id`."""
        found: list[Behind] = []
        after: dict[str, Any] = {}
        while True:
            with away_is_unavailable():
                chunk = (
                    await self._database[old].find(after, {"version": 1}, sort=[("_id", 1)], limit=CHUNK).to_list(None)
                )
            if not chunk:
                return found
            after = {"_id": {"$gt": chunk[-1]["_id"]}}
            found += await self.still_behind(shape, [Behind(item["_id"], item["version"]) for item in chunk], new)

    async def still_behind(self, shape: Shape, suspects: Sequence[Behind], new: str) -> list[Behind]:
        """See Comparison."""
        wanted = {"_id": {"$in": [one.id for one in suspects]}}
        with away_is_unavailable():
            documents = await self._database[new].find(wanted, {"version": 1, "parked": 1}).to_list(None)
        there = {item["_id"]: item for item in documents}
        late = [one for one in suspects if one.id not in there or there[one.id]["version"] < one.version]
        if shape.evolve is None or not late:
            return late
        waiting = {"kind": "gap", "note_id": {"$in": [one.id for one in late]}}
        with away_is_unavailable():
            parked = set(await self._database[parked_of(new)].distinct("note_id", waiting))
        return [one for one in late if one.id not in parked]

    async def waiting(self, collection: str) -> int:
        """See Comparison."""
        with away_is_unavailable():
            number: int = await self._database[parked_of(collection)].count_documents({"kind": "gap"})
        return number

    async def remove(self, generation: Generation) -> None:
        """Delete the collections of a generation. Raises StoreUnavailable."""
        with away_is_unavailable():
            for shape in generation.shapes:
                collection = collection_of(shape, generation.number)
                await self._database[collection].drop()
                await self._database[parked_of(collection)].drop()
