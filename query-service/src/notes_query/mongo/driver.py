"""How the driver is asked, and what an error of MongoDB means: a document that it refuses, or something that passes.

The default is that it passes: a server that restarts, fails over, is full, kills an operation or has forgotten who we
are says so in more codes than anybody can list. What is wrong with a document is a short list.
"""

import asyncio
import re
from collections.abc import Awaitable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final, NamedTuple, TypeVar

from pymongo import InsertOne
from pymongo.errors import BulkWriteError, DuplicateKeyError, OperationFailure, PyMongoError, WriteError

from notes_query.errors import DocumentRefused, StoreUnavailable

DUPLICATE_KEY: Final = 11000
REFUSES_DOCUMENT: Final = frozenset(
    {
        22,  # InvalidBSON
        52,  # DollarPrefixedFieldName
        53,  # InvalidIdField
        55,  # InvalidDBRef
        56,  # EmptyFieldName
        57,  # DottedFieldName
        121,  # DocumentValidationFailure
        171,  # CannotIndexParallelArrays
        10334,  # BSONObjectTooLarge
        13548,  # a buffer would grow beyond what a document may have
        17280,  # KeyTooLong
        17419,  # an update makes the document too large
        17420,  # an upsert makes it too large
    }
)
"""Codes that say what is wrong with a document, wherever they stand."""
REFUSES_IN_A_WRITE: Final = REFUSES_DOCUMENT | {
    2,  # BadValue
    9,  # FailedToParse
    14,  # TypeMismatch
}
"""The same where they stand beside one write of many; of a whole command they can speak of its options."""

T = TypeVar("T")

# OpenSSL's words for why: up to what would name a host.
_UNTRUSTED: Final = re.compile(r"certificate verify failed: [\w -]*\w")
LEVEL: Final = {"version": 1, "status": 1}
"""What says how far a document is."""


@contextmanager
def driver_errors() -> Iterator[None]:
    """Turn the driver's errors into ours, whose texts have kind and code: the driver's hold documents and hosts.

    Raises DocumentRefused for what no retry will change, StoreUnavailable for everything else. A DuplicateKeyError
    goes through: the caller that inserts expects it.
    """
    try:
        yield
    except DuplicateKeyError:
        raise
    except PyMongoError as error:
        # Not `from error`: it holds the document, and a printed chain would show it.
        raise meaning_of(error) from None


async def in_time(asked: Awaitable[T], seconds: float) -> T:
    """Return what the driver answers to a reader. Raises StoreUnavailable, after so many seconds at the latest.

    The driver's own limit begins when one of its threads takes the call: while MongoDB hangs, others come first.
    """
    with driver_errors():
        try:
            async with asyncio.timeout(seconds):
                return await asked
        except TimeoutError:
            raise StoreUnavailable(f"MongoDB: no answer within {seconds:g} s") from None


def is_untrusted(error: Exception | None) -> bool:
    """Tell whether a server was there whose certificate is not to be trusted."""
    return error is not None and _UNTRUSTED.search(str(error)) is not None


def meaning_of(error: PyMongoError) -> DocumentRefused | StoreUnavailable:
    """Return what to raise instead of an error of the driver."""
    text = f"MongoDB: {_said(error)}"
    return DocumentRefused(text) if _refuses_document(error) else StoreUnavailable(text)


def _refuses_document(error: PyMongoError) -> bool:
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        codes = {item.get("code") for item in details.get("writeErrors", ())} - {DUPLICATE_KEY}
        return bool(codes) and not details.get("writeConcernErrors") and codes <= REFUSES_IN_A_WRITE
    if not isinstance(error, OperationFailure) or error.timeout or (error.details or {}).get("errorLabels"):
        return False
    return error.code in (REFUSES_IN_A_WRITE if isinstance(error, WriteError) else REFUSES_DOCUMENT)


def _said(error: PyMongoError) -> str:
    """Return kind and codes; a code's name is the server's constant."""
    kind = type(error).__name__
    if isinstance(error, BulkWriteError):
        details = error.details or {}
        found: list[Mapping[str, Any]] = [*details.get("writeErrors", ()), *details.get("writeConcernErrors", ())]
        codes = sorted({item["code"] for item in found if isinstance(item.get("code"), int)})
        return f"{kind} {', '.join(map(str, codes))}"
    if isinstance(error, OperationFailure) and error.code is not None:
        name = (error.details or {}).get("codeName")
        return f"{kind} {error.code}" + (f" ({name})" if isinstance(name, str) else "")
    untrusted = _UNTRUSTED.search(str(error))
    return f"{kind} ({untrusted[0]})" if untrusted else kind


class Done(NamedTuple):
    """What a bulk write has come to. `taken`: places of the inserts whose `_id` was taken. `changed`: documents."""

    taken: list[int]
    changed: int


async def bulk_write(collection: Any, operations: Sequence[Any], session: Any = None) -> Done:
    """Do one unordered bulk write. Raises StoreUnavailable, and DocumentRefused where a document is at fault."""
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


async def by_id(
    documents: Any, ids: Collection[str], fields: Mapping[str, int] | None = None, session: Any = None
) -> dict[str, Any]:
    """Return those of these documents that are there, by id, with these fields."""
    if len(ids) == 1:  # a cursor costs the event loop more than this
        found = await documents.find_one({"_id": next(iter(ids))}, fields, session=session)
        return {} if found is None else {found["_id"]: found}
    cursor = documents.find({"_id": {"$in": list(ids)}}, fields, batch_size=len(ids) + 1, session=session)
    return {found["_id"]: found for found in await cursor.to_list(None)}


async def last_entries(entries: Any, note_ids: Collection[str], session: Any = None) -> dict[str, Any]:
    """Return the last version of these notes, by note, out of a collection that has a document for each version.

    A version by itself may never be there: a snapshot jumps over those that did not arrive.
    """
    cursor = entries.aggregate(last_entries_pipeline(note_ids), session=session)
    return {found["_id"]: found for found in await cursor.to_list(None)}


def last_entries_pipeline(note_ids: Collection[str]) -> list[dict[str, Any]]:
    """Return the aggregation of it: of each note the index is asked for one entry, however many there are."""
    return [
        {"$match": {"note_id": {"$in": list(note_ids)}}},
        {"$sort": {"note_id": -1, "version": -1}},
        {"$group": {"_id": "$note_id", "version": {"$first": "$version"}}},
    ]
