"""Forks as a person looks after them: events under a version that another event has made."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from pymongo import UpdateOne

from notes_contracts.ids import Id
from notes_query.mongo.database import Database
from notes_query.mongo.driver import bulk_write, driver_errors
from notes_query.projecting.pending import is_stopped
from notes_query.projecting.read_model_store import DROPPED, OF_FORKS, places
from notes_query.projections.read_model import parked_of
from notes_query.repairing.missing_versions import Moment

_NO_CONTENT: Final = {"key": 0, "value": 0, "headers": 0}
_NOTHING: Final = {"version": 0}
"""What is folded of a note without a document: forks among its waiting events stop it, too."""


@dataclass(frozen=True, slots=True)
class Fork:
    """An event under a version that another event has made, and where it was read.

    `id`: note id, version and event id. `read_models`: the builds that keep it. `stopped`: at least one of them folds
    the note no further because of it.
    """

    id: str
    note_id: Id
    version: int
    event_id: str
    type: str
    topic: str
    partition: int
    offset: int
    since: Moment
    read_models: tuple[str, ...]
    stopped: bool


class Dropped(NamedTuple):
    """Ids of forks. `refused`: they stop their note, and dropping them was not forced."""

    dropped: list[str]
    refused: list[str]


class Forks:
    """The forks in these collections of folded documents. Raises StoreUnavailable."""

    def __init__(self, database: Database, collections: Sequence[str]) -> None:
        self._database = database
        self._collections = collections

    async def find(self, limit: int, note_id: str | None = None, ids: Sequence[str] | None = None) -> list[Fork]:
        """Return forks, the oldest first: all, those of one note, or those with these ids."""
        wanted: dict[str, Any] = {"kind": "fork"}
        if note_id is not None:
            wanted["note_id"] = note_id
        if ids is not None:
            wanted["_id"] = {"$in": list(ids)}
        oldest = {"sort": [("parked_at", 1), ("_id", 1)], "limit": limit}
        kept = {name: await self._kept(name, wanted, **oldest) for name in self._collections}
        known = {id_ for forks in kept.values() for id_ in forks}
        found: dict[str, Fork] = {}
        for name, forks in kept.items():
            # The oldest there need not be the oldest elsewhere, and each is told as all collections have it.
            if len(forks) == limit and (others := sorted(known.difference(forks))):
                forks.update(await self._kept(name, {"kind": "fork", "_id": {"$in": others}}))
            stopped = await self._stopped(name, forks.values()) if forks else set()
            for id_, one in forks.items():
                fork = _fork(one, name, stopped=id_ in stopped)
                if before := found.get(id_):
                    fork = replace(
                        before,
                        since=min(before.since, fork.since),
                        read_models=(*before.read_models, name),
                        stopped=before.stopped or fork.stopped,
                    )
                found[id_] = fork
        return sorted(found.values(), key=lambda fork: (fork.since, fork.id))[:limit]

    async def ids(self, note_id: str | None = None) -> list[str]:
        """Return the ids of all forks, or of those of one note, the oldest first."""
        wanted = {"kind": "fork"} if note_id is None else {"kind": "fork", "note_id": note_id}
        since: dict[str, datetime] = {}
        for name in self._collections:
            with driver_errors():
                found = await self._database[parked_of(name)].find(wanted, {"parked_at": 1}).to_list(None)
            for one in found:
                since[one["_id"]] = min(since.get(one["_id"], one["parked_at"]), one["parked_at"])
        return sorted(since, key=lambda id_: (since[id_], id_))

    async def _kept(self, name: str, wanted: Mapping[str, Any], **options: Any) -> dict[str, dict[str, Any]]:
        with driver_errors():
            forks = await self._database[parked_of(name)].find(wanted, _NO_CONTENT, **options).to_list(None)
        return {one["_id"]: one for one in forks}

    async def _stopped(self, name: str, forks: Collection[Mapping[str, Any]]) -> set[str]:
        """Return the ids of those that stop their note there."""
        notes = list({one["note_id"] for one in forks})
        with driver_errors():
            fields = {"version": 1, "snapshot": 1}
            found = await self._database[name].find({"_id": {"$in": notes}}, fields).to_list(None)
        levels = {item["_id"]: item for item in found}
        return {one["_id"] for one in forks if _stops(one, levels.get(one["note_id"], _NOTHING))}

    async def drop(
        self, wanted: Sequence[Fork], heal: Callable[[Collection[str]], Awaitable[None]], now: datetime, *, force: bool
    ) -> Dropped:
        """Drop those that a snapshot has healed; others only if forced, which says that the first history is right.

        `heal` lets folding go on with what waits of these notes, in all builds. The same again is harmless.
        """
        dropped = [one for one in wanted if force or not one.stopped]
        await self._look_after([one.id for one in dropped if not one.stopped], now)
        await self._disregard([one.id for one in dropped if one.stopped], now)
        await heal({one.note_id for one in dropped if one.stopped})
        return Dropped([one.id for one in dropped], [one.id for one in wanted if one.stopped and not force])

    async def _look_after(self, ids: Collection[str], now: datetime) -> None:
        """Show and count these no longer, in builds to come neither. They go on stopping what they stop.

        The decision comes first: it counts, whatever is still kept.
        """
        await self._decide(ids, now, disregard=False)
        for name in self._collections:
            wanted = {"kind": "fork", "_id": {"$in": list(ids)}}
            with driver_errors():
                await self._database[parked_of(name)].update_many(wanted, {"$set": {"kind": "dropped"}})

    async def _disregard(self, ids: Collection[str], now: datetime) -> None:
        """Keep these no longer, and let them count for nothing, in builds to come too."""
        await self._decide(ids, now, disregard=True)
        for name in self._collections:
            with driver_errors():
                await self._database[parked_of(name)].delete_many(OF_FORKS | {"_id": {"$in": list(ids)}})

    async def _decide(self, ids: Collection[str], now: datetime, *, disregard: bool) -> None:
        decision = {"$set": {"at": now, "disregard": disregard}}
        if ids:
            await bulk_write(self._database[DROPPED], [UpdateOne({"_id": id_}, decision, upsert=True) for id_ in ids])


def _stops(fork: Mapping[str, Any], level: Mapping[str, Any]) -> bool:
    at = [(version, place) for (version, _), place in places([dict(fork)]).items()]
    return is_stopped(at, level["version"], level.get("snapshot", 0))


def _fork(fork: Mapping[str, Any], name: str, *, stopped: bool) -> Fork:
    return Fork(
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
        stopped=stopped,
    )
