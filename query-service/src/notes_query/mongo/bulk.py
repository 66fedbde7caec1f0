"""Bulk writes whose repeats are harmless."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pymongo import InsertOne
from pymongo.errors import BulkWriteError

from notes_query.mongo.failures import DUPLICATE_KEY, driver_errors


class Done(NamedTuple):
    """What a bulk write has come to. `taken`: places of the inserts whose `_id` was taken. `changed`: documents."""

    taken: list[int]
    changed: int


async def bulk_write(collection: Any, operations: Sequence[Any], session: Any = None) -> Done:
    """Do one unordered bulk write.

    Raises StoreUnavailable, and DocumentRefused where a document is at fault.
    """
    with driver_errors():
        try:
            done = await collection.bulk_write(operations, ordered=False, session=session)
        except BulkWriteError as error:
            details = error.details or {}
            refused = details.get("writeErrors", [])
            taken = [item["index"] for item in refused if item["code"] == DUPLICATE_KEY]
            if details.get("writeConcernErrors") or len(taken) < len(refused):
                raise
            return Done(taken, details["nModified"])
    return Done([], done.modified_count)


async def insert_missing(collection: Any, documents: Sequence[Mapping[str, Any]], session: Any = None) -> list[int]:
    """Insert documents; one whose `_id` is there already stays as it is. Return the places of these.

    Raises StoreUnavailable, and DocumentRefused where a document is at fault.
    """
    return (await bulk_write(collection, [InsertOne(document) for document in documents], session)).taken
