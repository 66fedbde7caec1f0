"""Notes of which a version is missing, or has come twice and differently."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from notes_contracts.ids import Id
from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.serving import Serving, parked_of
from notes_query.repairing.missing_versions import MissingVersion, MissingVersions, Moment

_IS_GAP: Final = {"$eq": ["$kind", "gap"]}
_ABOVE_FORK: Final = {"$max": ["$version", {"$add": [{"$ifNull": ["$at", "$version"]}, 1]}]}
_COUNTED: Final = {
    "_id": "$note_id",
    "events": {"$sum": {"$cond": [_IS_GAP, 1, 0]}},
    "forks": {"$sum": {"$cond": [_IS_GAP, 0, 1]}},
    "since": {"$min": "$parked_at"},
    "heals_at": {"$max": {"$cond": [_IS_GAP, 0, _ABOVE_FORK]}},
}


class Waiting(NamedTuple):
    """What is kept beside a note: how many events wait, how many forks there are, and since when.

    `heals_at`: of which version a snapshot has to be, at least, for folding to go on behind its forks; 0 without any.
    """

    note_id: str
    events: int
    forks: int
    since: datetime
    heals_at: int = 0


@dataclass(frozen=True, slots=True)
class Gap:
    """A note that is not complete.

    `version`: what its document holds, 0 without one. `missing`: the first version that is not there, null if there are
    forks only. `waiting`: events behind it. `awaited`: the last version that an outcome has announced, if it did not
    come. `stopped`: folding goes on with a snapshot above the forks alone.
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
) -> list[Gap]:
    """Return what is told of each note, together, the oldest first.

    `versions`: those of the documents; `snapshots`: those of the last snapshots that were taken.
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
        forks, heals_at = (0, 0) if kept is None else (kept.forks, kept.heals_at)
        stopped = (snapshots or {}).get(note_id, 0) < heals_at
        found.append(Gap(note_id, version, first, events, awaited, forks, min(since), stopped))
    return sorted(found, key=lambda gap: (gap.since, gap.note_id))


class Gaps:
    """The gaps of the note documents that readers get. Raises StoreUnavailable, Building."""

    def __init__(self, database: Database, serving: Serving) -> None:
        self._database = database
        self._serving = serving
        self._missing = MissingVersions(database)

    async def find(self, limit: int, note_id: str | None = None) -> list[Gap]:
        """Return gaps, the oldest first; of one note only, if it is given."""
        served = self._serving.collection("notes")
        of_note = {} if note_id is None else {"note_id": note_id}
        oldest: list[dict[str, Any]] = [{"$sort": {"since": 1, "_id": 1}}, {"$limit": limit}]
        missing = await (self._missing.oldest(limit) if note_id is None else self._missing.of([note_id]))
        with driver_errors():
            beside = await self._beside(served, of_note, oldest)
            return (await self._together(served, beside, missing))[:limit]

    async def page(self, after: str, limit: int) -> tuple[list[Gap], str]:
        """Return the gaps of the notes after this id, by id, and the id to go on after: an empty one at the end."""
        served = self._serving.collection("notes")
        missing = await self._missing.page(after, limit)
        with driver_errors():
            waiting = [
                item["_id"] async for item in self._database[parked_of(served)].aggregate(_notes(served, after, limit))
            ]
            ids = sorted({*waiting, *(one.note_id for one in missing)})[:limit]
            if not ids:
                return [], ""
            beside = await self._beside(served, {"note_id": {"$in": ids}}, [])
            found = await self._together(served, beside, [one for one in missing if one.note_id in set(ids)])
        return sorted(found, key=lambda gap: gap.note_id), ids[-1] if len(ids) == limit else ""

    async def _beside(self, served: str, wanted: dict[str, Any], then: list[dict[str, Any]]) -> list[Waiting]:
        # Both kinds by name: the index begins with them, and holds all that is asked for.
        steps = [{"$match": {"kind": {"$in": ["gap", "fork"]}} | wanted}, {"$group": _COUNTED}, *then]
        found = self._database[parked_of(served)].aggregate(steps)
        return [
            Waiting(item["_id"], item["events"], item["forks"], item["since"], item["heals_at"]) async for item in found
        ]

    async def _together(self, served: str, beside: list[Waiting], missing: list[MissingVersion]) -> list[Gap]:
        ids = list({one.note_id for one in beside} | {one.note_id for one in missing})
        fields = {"version": 1, "snapshot": 1}
        documents = await self._database[served].find({"_id": {"$in": ids}}, fields).to_list(None)
        versions = {item["_id"]: item["version"] for item in documents}
        return gaps_of(beside, missing, versions, {item["_id"]: item.get("snapshot", 0) for item in documents})


def _notes(served: str, after: str, limit: int) -> list[dict[str, Any]]:
    """Return what asks for the next notes with something kept beside them; the index jumps from note to note."""

    def of(kind: str) -> list[dict[str, Any]]:
        return [
            {"$match": {"kind": kind, "note_id": {"$gt": after}}},
            {"$sort": {"note_id": 1, "version": 1}},
            {"$group": {"_id": "$note_id", "first": {"$first": "$version"}}},
            {"$sort": {"_id": 1}},
            {"$limit": limit},
        ]

    return [*of("gap"), {"$unionWith": {"coll": parked_of(served), "pipeline": of("fork")}}]
