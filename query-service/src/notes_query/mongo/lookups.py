"""Documents that are looked up by their ids."""

from collections.abc import Collection, Mapping
from typing import Any, Final

LEVEL: Final = {"version": 1, "status": 1}
"""What says how far a document is."""


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
