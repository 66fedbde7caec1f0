"""What a person sees of forks and has decided about them, for all builds."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo import UpdateOne

from notes_query.mongo.bulk import bulk_write
from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.fork_store import DROPPED, OF_FORKS, places
from notes_query.projecting.pending import is_stopped
from notes_query.projecting.serving import parked_of
from notes_query.repairing.forks import KeptFork


class MongoForks:
    """Forks, in these collections of documents."""

    def __init__(self, database: Database, collections: Sequence[str]) -> None:
        self._database = database
        self._collections = collections

    async def find(self, limit: int, note_id: str | None = None, ids: Sequence[str] | None = None) -> list[KeptFork]:
        """See Forks."""
        wanted: dict[str, Any] = {"kind": "fork"}
        if note_id is not None:
            wanted["note_id"] = note_id
        if ids is not None:
            wanted["_id"] = {"$in": list(ids)}
        found: dict[str, KeptFork] = {}
        for name in self._collections:
            oldest = {"sort": [("parked_at", 1), ("_id", 1)], "limit": limit}
            with driver_errors():
                forks = await self._database[parked_of(name)].find(wanted, _NO_CONTENT, **oldest).to_list(None)
                levels = {
                    item["_id"]: item
                    async for item in self._database[name].find(
                        {"_id": {"$in": [one["note_id"] for one in forks]}}, {"version": 1, "snapshot": 1}
                    )
                }
            for one in forks:
                fork = _kept(one, name, levels.get(one["note_id"]))
                before = found.get(fork.id, fork._replace(read_models=()))
                models, stopped = (*before.read_models, name), before.stopped or fork.stopped
                found[fork.id] = before._replace(read_models=models, stopped=stopped)
        return sorted(found.values(), key=lambda fork: (fork.since, fork.id))[:limit]

    async def looked_after(self, ids: Collection[str], now: datetime) -> None:
        """See Forks. The decision comes first: it counts, whatever is still kept."""
        await self._decide(ids, now, disregard=False)
        for name in self._collections:
            wanted = {"kind": "fork", "_id": {"$in": list(ids)}}
            with driver_errors():
                await self._database[parked_of(name)].update_many(wanted, {"$set": {"kind": "dropped"}})

    async def disregard(self, ids: Collection[str], now: datetime) -> None:
        """See Forks."""
        await self._decide(ids, now, disregard=True)
        for name in self._collections:
            with driver_errors():
                await self._database[parked_of(name)].delete_many(OF_FORKS | {"_id": {"$in": list(ids)}})

    async def _decide(self, ids: Collection[str], now: datetime, *, disregard: bool) -> None:
        decision = {"$set": {"at": now, "disregard": disregard}}
        if ids:
            await bulk_write(self._database[DROPPED], [UpdateOne({"_id": id_}, decision, upsert=True) for id_ in ids])


_NO_CONTENT: Final = {"key": 0, "value": 0, "headers": 0}


def _kept(fork: Mapping[str, Any], name: str, level: Mapping[str, Any] | None) -> KeptFork:
    # Entries have no document of the note's own: they go on when the documents of the notes do.
    at = [(version, place) for (version, _), place in places([dict(fork)]).items()]
    return KeptFork(
        id=fork["_id"],
        note_id=fork["note_id"],
        version=fork["version"],
        event_id=fork["event_id"],
        type=fork["type"],
        topic=fork["topic"],
        partition=fork["partition"],
        offset=fork["offset"],
        since=fork["parked_at"],
        read_models=(name,),
        stopped=level is not None and is_stopped(at, level["version"], level.get("snapshot", 0)),
    )
