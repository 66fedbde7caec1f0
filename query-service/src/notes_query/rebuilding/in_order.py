"""Whole collections, a chunk at a time."""

from collections.abc import AsyncIterator, Mapping
from typing import Any

from notes_query.mongo.failures import driver_errors


async def in_order(collection: Any, fields: Mapping[str, int], chunk: int) -> AsyncIterator[list[dict[str, Any]]]:
    """Give these fields of all documents in the order of ids, by the index on `_id`; each chunk is a query of its own.

    Raises StoreUnavailable.
    """
    query: dict[str, Any] = {}
    while True:
        with driver_errors():
            found = await collection.find(query, fields, sort=[("_id", 1)], limit=chunk).to_list(None)
        if found:
            yield found
        if len(found) < chunk:
            return
        query = {"_id": {"$gt": found[-1]["_id"]}}
