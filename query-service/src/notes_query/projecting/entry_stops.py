"""What stops a read model with one document for each event, and what ends that: as its store asks MongoDB."""

from collections.abc import Collection
from typing import Any, Final

from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.fork_store import OF_FORKS, places
from notes_query.projecting.pending import stops_of
from notes_query.projecting.serving import parked_of
from notes_query.projections.history import SNAPSHOT
from notes_query.projections.recorded_event import RecordedEvent

MET: Final = "snapshot"
"""The kind of what is kept of a snapshot whose version had an entry: among the entries it would not be found."""

_PLACE: Final = {"note_id": 1, "version": 1, "event_id": 1, "at": 1}


def met_document(snapshot: RecordedEvent) -> dict[str, Any]:
    """Return what is kept of such a snapshot, beside the entries."""
    note_id, version = snapshot.note_id, snapshot.version
    return {"_id": f"{note_id}:{MET}:{version}", "kind": MET, "note_id": note_id, "version": version}


async def snapshots_in(database: Database, collection: str, note_ids: Collection[str]) -> dict[str, int]:
    """Return the highest snapshot of each of these notes that was taken, if there is any. Raises StoreUnavailable."""
    of_notes = {"note_id": {"$in": list(note_ids)}}
    fields = {"$project": {"_id": 0, "note_id": 1, "version": 1}}
    beside = {"coll": parked_of(collection), "pipeline": [{"$match": {"kind": MET, **of_notes}}, fields]}
    steps: list[dict[str, Any]] = [
        {"$match": {**of_notes, "type": SNAPSHOT}},
        fields,
        {"$unionWith": beside},
        {"$group": {"_id": "$note_id", "version": {"$max": "$version"}}},
    ]
    with driver_errors():
        async with database.session() as session:
            found = await database[collection].aggregate(steps, session=session).to_list(None)
    return {item["_id"]: item["version"] for item in found}


async def stopped_in(database: Database, collection: str, note_ids: Collection[str]) -> set[str]:
    """Return those of these notes of which nothing is entered there. Raises StoreUnavailable."""
    forks: dict[str, dict[tuple[int, str], int]] = {}
    with driver_errors():
        wanted = OF_FORKS | {"note_id": {"$in": list(note_ids)}}
        for one in await database[parked_of(collection)].find(wanted, _PLACE).to_list(None):
            forks.setdefault(one["note_id"], {}).update(places([one]))
    return set(stops_of(forks, await snapshots_in(database, collection, forks))) if forks else set()
