"""Notes of which a version is missing, or has come twice and differently."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from notes_contracts.ids import Id
from notes_query.errors import Building
from notes_query.mongo.database import Database
from notes_query.mongo.driver import driver_errors
from notes_query.projecting.read_model_store import next_notes, stopped_in
from notes_query.projections.read_model import Serving, parked_of
from notes_query.repairing.missing_versions import MissingVersion, MissingVersions, Moment

_IS_GAP: Final = {"$eq": ["$kind", "gap"]}
_ABOVE_FORK: Final = {"$max": ["$version", {"$add": [{"$ifNull": ["$at", "$version"]}, 1]}]}
_IS_FORK: Final = {"$eq": ["$kind", "fork"]}
_COUNTED: Final = {
    "_id": "$note_id",
    "events": {"$sum": {"$cond": [_IS_GAP, 1, 0]}},
    "forks": {"$sum": {"$cond": [_IS_FORK, 1, 0]}},
    "since": {"$min": "$parked_at"},
    "heals_at": {"$max": {"$cond": [_IS_FORK, _ABOVE_FORK, 0]}},
    "of_entries": {"$sum": {"$cond": [{"$eq": ["$kind", "of entries"]}, 1, 0]}},
}
_FIELDS: Final = {"_id": 0, "note_id": 1, "kind": 1, "version": 1, "at": 1, "parked_at": 1}


class Waiting(NamedTuple):
    """What is kept beside a note: how many events wait, how many forks there are, and since when.

    `heals_at`: of which version a snapshot has to be, at least, for folding to go on behind its forks; 0 without any.
    `of_entries`: how many forks read models with one document for each event have, which may have found others.
    """

    note_id: str
    events: int
    forks: int
    since: datetime
    heals_at: int = 0
    of_entries: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """A note that is not complete.

    `version`: what its document holds, 0 without one. `missing`: the first version that is not there, null if there are
    forks only. `waiting`: events behind it. `awaited`: the last version that an outcome has announced, if it did not
    come. `stopped`: folding, or the history, goes on with a snapshot above the forks alone.
    """

    note_id: Id
    version: int
    missing: int | None
    waiting: int
    awaited: int | None
    forks: int
    since: Moment
    stopped: bool


def gaps_of(
    waiting: Iterable[Waiting],
    missing: Iterable[MissingVersion],
    versions: Mapping[str, int],
    snapshots: Mapping[str, int] | None = None,
    stopped: Collection[str] = (),
) -> list[Gap]:
    """Return what is told of each note, together, the oldest first.

    `versions`: those of the documents; `snapshots`: those of the last snapshots that were taken. `stopped`: notes that
    a read model with one document for each event goes no further with.
    """
    beside = {one.note_id: one for one in waiting}
    announced = {one.note_id: one for one in missing if one.version > versions.get(one.note_id, 0)}
    found = []
    for note_id in beside.keys() | announced.keys():
        kept, late, version = beside.get(note_id), announced.get(note_id), versions.get(note_id, 0)
        events = 0 if kept is None else kept.events
        since = [one.since for one in (kept, late) if one is not None]
        awaited = None if late is None else late.version
        first = version + 1 if events or awaited is not None else None
        forks, heals_at = (0, 0) if kept is None else (max(kept.forks, kept.of_entries), kept.heals_at)
        stops = (snapshots or {}).get(note_id, 0) < heals_at or note_id in stopped
        found.append(Gap(note_id, version, first, events, awaited, forks, min(since), stops))
    return sorted(found, key=lambda gap: (gap.since, gap.note_id))


class Gaps:
    """The gaps of the note documents that readers get. Raises StoreUnavailable, Building.

    `of_entries`: read models with one document for each event, whose forks count as well: an entry that came ahead of
    its turn may be what a later event is a fork of.
    """

    def __init__(self, database: Database, serving: Serving, of_entries: Sequence[str] = ()) -> None:
        self._database = database
        self._serving = serving
        self._names = of_entries
        self._missing = MissingVersions(database)

    async def find(self, limit: int, note_id: str | None = None) -> list[Gap]:
        """Return gaps, the oldest first; of one note only, if it is given."""
        served = self._serving.collection("notes")
        if note_id is not None:
            of_note = {"note_id": note_id}
            return await self._together(served, await self._beside(served, of_note), await self._missing.of([note_id]))
        beside = await self._beside(served, {}, [{"$sort": {"since": 1, "_id": 1}}, {"$limit": limit}])
        missing = await self._missing.oldest(limit)
        # What is among the oldest here need not be there, and each note is told as a whole.
        waits, late = {one.note_id for one in beside}, {one.note_id for one in missing}
        if len(beside) == limit and late - waits:
            beside += await self._beside(served, {"note_id": {"$in": list(late - waits)}})
        if len(missing) == limit and waits - late:
            missing += await self._missing.of(waits - late)
        return (await self._together(served, beside, missing))[:limit]

    async def page(self, after: str, limit: int) -> tuple[list[Gap], str]:
        """Return the gaps of the notes after this id, by id, and the id to go on after: an empty one at the end."""
        served = self._serving.collection("notes")
        missing = await self._missing.page(after, limit)
        forks = next_notes("fork", after, limit)
        beside = ({"$unionWith": {"coll": parked_of(name), "pipeline": forks}} for name in (served, *self._entries()))
        steps = [*next_notes("gap", after, limit), *beside]
        with driver_errors():
            waiting = [item["_id"] async for item in self._database[parked_of(served)].aggregate(steps)]
        ids = sorted({*waiting, *(one.note_id for one in missing)})[:limit]
        if not ids:
            return [], ""
        waits = await self._beside(served, {"note_id": {"$in": ids}})
        found = await self._together(served, waits, [one for one in missing if one.note_id in set(ids)])
        return sorted(found, key=lambda gap: gap.note_id), ids[-1] if len(ids) == limit else ""

    def _entries(self) -> list[str]:
        """Return the collections of those that are served: what is built has time until then."""
        found = []
        for name in self._names:
            with suppress(Building):
                found.append(self._serving.collection(name))
        return found

    async def _beside(self, served: str, wanted: dict[str, Any], then: Sequence[dict[str, Any]] = ()) -> list[Waiting]:
        # Both kinds by name: the index begins with them, and holds all that is asked for. That is named as well: not
        # to read what waits, which can be large.
        forks = [{"$match": {"kind": "fork"} | wanted}, {"$project": _FIELDS | {"kind": {"$literal": "of entries"}}}]
        steps = [
            {"$match": {"kind": {"$in": ["gap", "fork"]}} | wanted},
            {"$project": _FIELDS},
            *({"$unionWith": {"coll": parked_of(name), "pipeline": forks}} for name in self._entries()),
            {"$group": _COUNTED},
            *then,
        ]
        with driver_errors():
            found = await self._database[parked_of(served)].aggregate(steps).to_list(None)
        return [Waiting(item.pop("_id"), **item) for item in found]

    async def _together(self, served: str, beside: list[Waiting], missing: list[MissingVersion]) -> list[Gap]:
        ids = list({one.note_id for one in beside} | {one.note_id for one in missing})
        fields = {"version": 1, "snapshot": 1}
        with driver_errors():
            documents = await self._database[served].find({"_id": {"$in": ids}}, fields).to_list(None)
        versions = {item["_id"]: item["version"] for item in documents}
        snapshots = {item["_id"]: item.get("snapshot", 0) for item in documents}
        stopped = set[str]()
        if forked := [one.note_id for one in beside if one.of_entries]:
            for name in self._entries():
                stopped |= await stopped_in(self._database, name, forked)
        return gaps_of(beside, missing, versions, snapshots, stopped)
