"""Documents as they are stored, for verification."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

from pymongo.errors import DuplicateKeyError

from notes_query.mongo.database import MISSING_VERSIONS, Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.fork_store import all_disregarded
from notes_query.projecting.pending import ForkKey
from notes_query.rebuilding.in_order import in_order

CHUNK: Final = 5000


class MongoStoredDocuments:
    """StoredDocuments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def load(self, collection: str, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """See StoredDocuments."""
        with driver_errors():
            found = await self._database[collection].find({"_id": {"$in": list(ids)}}).to_list(None)
            documents: dict[str, dict[str, Any]] = {document["_id"]: document for document in found}
            parked = [id_ for id_, document in documents.items() if document.get("parked")]
            for announced in (
                await self._database[MISSING_VERSIONS].find({"_id": {"$in": parked}}, {"_id": 1}).to_list(None)
            ):
                documents[announced["_id"]]["parked"] = None
        return documents

    async def ids(self, collection: str) -> AsyncIterator[Sequence[str]]:
        """See StoredDocuments. Without the documents."""
        async for chunk in in_order(self._database[collection], {"_id": 1}, CHUNK):
            yield [document["_id"] for document in chunk]

    async def disregarded(self) -> set[ForkKey]:
        """See StoredDocuments."""
        return await all_disregarded(self._database)

    async def replace(
        self, collection: str, stored: Mapping[str, Any] | None, expected: Mapping[str, Any] | None
    ) -> bool:
        """See StoredDocuments."""
        documents = self._database[collection]
        with driver_errors():
            if stored is None:
                try:
                    await documents.insert_one(dict(expected or {}))
                except DuplicateKeyError:
                    return False
                return True
            guard = {name: stored.get(name) for name in ("_id", "version", "event_id")}
            if expected is None:
                return bool((await documents.delete_one(guard)).deleted_count)
            return bool((await documents.replace_one(guard, dict(expected))).matched_count)
