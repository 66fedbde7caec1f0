"""Forks as they are kept beside a read model's documents, and what a person has decided about them, for all builds."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pymongo import UpdateOne

from notes_query.adapters.mongo.bulk import bulk_write
from notes_query.adapters.mongo.database import Database
from notes_query.adapters.mongo.failures import driver_errors
from notes_query.adapters.mongo.records import fork_id, kept_fork
from notes_query.application.forks import KeptFork
from notes_query.application.pending import Fork, ForkKey, is_stopped
from notes_query.application.serving import parked_of
from notes_query.projections.recorded_event import RecordedEvent

DROPPED: Final = "dropped_forks"


OF_FORKS: Final[dict[str, Any]] = {"kind": {"$in": ["fork", "dropped"]}}
"""What is kept of forks: `dropped` ones are shown and counted no longer, and stop a note like others."""


async def kept_forks(database: Database, forks: Sequence[Fork]) -> list[dict[str, Any]]:
    """Return the documents of forks; those that a person has looked after are kept as such. Raises StoreUnavailable."""
    documents = [kept_fork(fork) for fork in forks]
    with driver_errors():
        decided = await database[DROPPED].distinct("_id", {"_id": {"$in": [one["_id"] for one in documents]}})
    return [one | {"kind": "dropped"} if one["_id"] in decided else one for one in documents]


async def disregarded(database: Database, events: Collection[RecordedEvent]) -> set[ForkKey]:
    """Return those of these forks that count for nothing, by a person's decision. Raises StoreUnavailable."""
    keys = {fork_id(event.note_id, event.version, event.id): event for event in events}
    with driver_errors():
        found = await database[DROPPED].find({"_id": {"$in": list(keys)}, "disregard": True}, {"_id": 1}).to_list(None)
    return {(one.note_id, one.version, one.id) for item in found if (one := keys[item["_id"]])}


async def all_disregarded(database: Database) -> set[ForkKey]:
    """Return all forks that count for nothing. Raises StoreUnavailable."""
    with driver_errors():
        found = await database[DROPPED].find({"disregard": True}, {"_id": 1}).to_list(None)
    parts = (item["_id"].split(":") for item in found)
    return {(note_id, int(version), event_id) for note_id, version, event_id in parts}


async def count_kept(parked: Any) -> tuple[int, int]:
    """Return how many events wait, and how many forks are kept. Raises StoreUnavailable."""
    with driver_errors():
        gaps = await parked.count_documents({"kind": "gap"})
        forks = await parked.count_documents({"kind": "fork"})
    return gaps, forks


def places(forks: Iterable[dict[str, Any]]) -> dict[tuple[int, str], int]:
    """Return at which version of the document forks were found, by their version and event id."""
    # An earlier release kept no place: it looked for forks of the document's own version alone.
    return {(one["version"], one["event_id"]): one.get("at") or one["version"] for one in forks}


def places_by_note(forks: Iterable[dict[str, Any]]) -> dict[str, dict[tuple[int, str], int]]:
    """Return the places of the forks of several notes, by note."""
    found: dict[str, dict[tuple[int, str], int]] = {}
    for one in forks:
        found.setdefault(one["note_id"], {}).update(places([one]))
    return found


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
