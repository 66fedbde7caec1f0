"""Notes of which a version is missing, or has come twice and differently."""

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, NamedTuple

from notes_contracts.ids import Id
from notes_query.mongo.database import Database
from notes_query.mongo.driver import driver_errors
from notes_query.projecting.read_model_store import next_notes
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
}
_FIELDS: Final = {"_id": 0, "note_id": 1, "kind": 1, "version": 1, "at": 1, "parked_at": 1}


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
    come. `stopped`: folding goes on only with a snapshot above the forks. `read_model`: the build whose document it is.
    """

    note_id: Id
    version: int
    missing: int | None
    waiting: int
    awaited: int | None
    forks: int
    since: Moment
    stopped: bool
    read_model: str


def gaps_of(
    waiting: Iterable[Waiting],
    missing: Iterable[MissingVersion],
    versions: Mapping[str, int],
    snapshots: Mapping[str, int] | None = None,
    *,
    read_model: str,
) -> list[Gap]:
    """Return what is told of each note of a read model, together.

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
        stops = (snapshots or {}).get(note_id, 0) < heals_at
        found.append(Gap(note_id, version, first, events, awaited, forks, min(since), stops, read_model))
    return found


async def _none() -> Sequence[str]:
    return ()


class Gaps:
    """The gaps of the note documents that readers get, and of others. Raises StoreUnavailable, Building.

    `others` returns collections of other folded documents: what waits there is told of notes of which nothing is
    missing in the first.
    """

    def __init__(
        self,
        database: Database,
        serving: Serving,
        others: Callable[[], Awaitable[Sequence[str]]] = _none,
    ) -> None:
        self._database = database
        self._serving = serving
        self._others = others
        self._missing = MissingVersions(database)

    async def find(self, limit: int, note_id: str | None = None) -> list[Gap]:
        """Return gaps, the oldest first; of one note only, if it is given."""
        served, others = await self._collections()

        def oldest(kind: str) -> list[dict[str, Any]]:
            by_note = {"$group": {"_id": "$note_id", "since": {"$min": "$parked_at"}}}
            return [{"$match": {"kind": kind}}, by_note, {"$sort": {"since": 1, "_id": 1}}, {"$limit": limit}]

        ids = [note_id] if note_id is not None else await self._kept(served, others, oldest)
        if note_id is None:
            ids += [one.note_id for one in await self._missing.oldest(limit)]
        found = await self._told(served, others, ids)
        return sorted(found, key=lambda gap: (gap.since, gap.note_id))[:limit]

    async def page(self, after: str, limit: int) -> tuple[list[Gap], str]:
        """Return the gaps of the notes after this id, by id, and the id to go on after: an empty one at the end."""
        served, others = await self._collections()
        missing = [one.note_id for one in await self._missing.page(after, limit)]
        kept = await self._kept(served, others, lambda kind: next_notes(kind, after, limit))
        ids = sorted({*kept, *missing})[:limit]
        found = await self._told(served, others, ids)
        return sorted(found, key=lambda gap: gap.note_id), ids[-1] if len(ids) == limit else ""

    async def _collections(self) -> tuple[str, list[str]]:
        served = self._serving.collection("notes")
        return served, [name for name in await self._others() if name != served]

    async def _kept(
        self, served: str, others: Sequence[str], notes: Callable[[str], list[dict[str, Any]]]
    ) -> list[str]:
        """Return ids of notes beside which something is kept; `notes` is the aggregation of those with a kind of it."""
        also = [("fork", served), *(("gap", name) for name in others)]
        beside = ({"$unionWith": {"coll": parked_of(name), "pipeline": notes(kind)}} for kind, name in also)
        with driver_errors():
            return [item["_id"] async for item in self._database[parked_of(served)].aggregate([*notes("gap"), *beside])]

    async def _told(self, served: str, others: Sequence[str], ids: Collection[str]) -> list[Gap]:
        """Return the gaps of these notes: where nothing is missing in what is served, those of the others."""
        if not ids:
            return []
        missing = await self._missing.of(ids)
        found = await self._gaps_in(served, ids, ("gap", "fork"), missing)
        for name in others:
            if left := set(ids).difference(one.note_id for one in found if one.missing is not None):
                found += await self._gaps_in(name, left)
        return found

    async def _gaps_in(
        self,
        collection: str,
        ids: Collection[str],
        kinds: Sequence[str] = ("gap",),
        missing: Sequence[MissingVersion] = (),
    ) -> list[Gap]:
        # The kinds by name: the index begins with them, and holds all that is asked for. That is named as well: not
        # to read what waits, which can be large.
        these = {"note_id": {"$in": list(ids)}}
        steps = [{"$match": {"kind": {"$in": kinds}} | these}, {"$project": _FIELDS}, {"$group": _COUNTED}]
        fields = {"version": 1, "snapshot": 1}
        with driver_errors():
            kept = await self._database[parked_of(collection)].aggregate(steps).to_list(None)
            documents = await self._database[collection].find({"_id": {"$in": list(ids)}}, fields).to_list(None)
        beside = [Waiting(item.pop("_id"), **item) for item in kept]
        versions = {item["_id"]: item["version"] for item in documents}
        snapshots = {item["_id"]: item.get("snapshot", 0) for item in documents}
        return gaps_of(beside, missing, versions, snapshots, read_model=collection)
