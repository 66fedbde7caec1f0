"""What the stores of all read models have in common: waiting events and forks are kept beside the documents."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from time import monotonic
from typing import Any, Final

from notes_query.mongo.database import Database
from notes_query.mongo.driver import driver_errors, entry_pages, insert_missing
from notes_query.projecting.pending import Fork, ForkKey, stops_of
from notes_query.projections.history import SNAPSHOT
from notes_query.projections.read_model import RecordedEvent, parked_of

DROPPED: Final = "dropped_forks"
OF_FORKS: Final[dict[str, Any]] = {"kind": {"$in": ["fork", "dropped"]}}
"""What is kept of forks: `dropped` ones are shown and counted no longer, and stop a note like others."""
MET: Final = "snapshot"
"""The kind of what is kept of a snapshot whose version had an entry: among the entries it would not be found."""
_PLACE: Final = {"note_id": 1, "version": 1, "event_id": 1, "at": 1}
FEW: Final = 100
MANY_S: Final = 60.0
"""Seconds after which somebody looks again whether little is kept."""
KNOWN_S: Final = 5.0
"""Seconds for which a look at all that is kept counts. Only a redrive in another process adds to it meanwhile."""
_IS_GAP: Final = {"$eq": ["$kind", "gap"]}
_FORK: Final = {"version": "$version", "event_id": "$event_id", "at": "$at"}
_BY_NOTE: Final = {
    "$group": {
        "_id": "$note_id",
        "events": {"$sum": {"$cond": [_IS_GAP, 1, 0]}},
        "first": {"$min": {"$cond": [_IS_GAP, "$version", None]}},
        "last": {"$max": {"$cond": [_IS_GAP, "$version", None]}},
        "forks": {"$push": {"$cond": [_IS_GAP, "$$REMOVE", _FORK]}},
    }
}
_KINDS: Final = {"kind": {"$in": ["gap", "fork", "dropped"]}}
"""All kinds by name: the index begins with them, and holds all that is asked for."""


def fork_id(note_id: str, version: int, event_id: str) -> str:
    """Return the id of a fork, and of the decision to drop it."""
    return f"{note_id}:{version}:{event_id}"


def beside_note(event: RecordedEvent, kind: str) -> dict[str, Any]:
    """Return what is kept of an event beside its note's document, whatever the `kind`: gap or fork."""
    return {
        "kind": kind,
        "note_id": event.note_id,
        "version": event.version,
        "event_id": event.id,
        "type": event.type,
        "parked_at": datetime.now(UTC),
    }


def fork_document(fork: Fork) -> dict[str, Any]:
    """Return the document of a fork. It says where the event was read, and nothing of what it says."""
    event, record = fork.event, fork.event.record
    return {
        "_id": fork_id(*event.identity),
        **beside_note(event, "fork"),
        "at": fork.at,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
    }


def places(forks: Iterable[dict[str, Any]]) -> dict[tuple[int, str], int]:
    """Return at which version of the document forks were found, by their version and event id."""
    # An earlier release kept no place: it looked for forks of the document's own version alone.
    return {(one["version"], one["event_id"]): one["version"] if one.get("at") is None else one["at"] for one in forks}


def places_by_note(forks: Iterable[dict[str, Any]]) -> dict[str, dict[tuple[int, str], int]]:
    """Return the places of the forks of each note."""
    found: dict[str, dict[tuple[int, str], int]] = {}
    for one in forks:
        found.setdefault(one["note_id"], {}).update(places([one]))
    return found


def met_document(snapshot: RecordedEvent) -> dict[str, Any]:
    """Return what is kept of such a snapshot, beside the entries."""
    note_id, version = snapshot.note_id, snapshot.version
    return {"_id": f"{note_id}:{MET}:{version}", "kind": MET, "note_id": note_id, "version": version}


async def snapshots_in(
    database: Database, collection: str, note_ids: Collection[str], from_version: int = 1
) -> dict[str, int]:
    """Return the highest snapshot at or above a version that was taken of each of these notes, if there is any.

    The index does not have the type: all these entries are read. Raises StoreUnavailable.
    """
    if_snapshot = {"$cond": [{"$eq": ["$type", SNAPSHOT]}, "$version", None]}
    kept = {"kind": MET, "note_id": {"$in": list(note_ids)}, "version": {"$gte": from_version}}
    highest = {"$group": {"_id": "$note_id", "entries": {"$sum": 0}, "snapshot": {"$max": "$version"}}}
    kept_beside = {"$unionWith": {"coll": parked_of(collection), "pipeline": [{"$match": kept}, highest]}}
    fields = {"snapshot": {"$max": if_snapshot}}
    snapshots: dict[str, int] = {}
    with driver_errors():
        async with database.session() as session:
            async for page in entry_pages(database[collection], note_ids, from_version, fields, session, kept_beside):
                for row in page:
                    if row["snapshot"] is not None:
                        snapshots[row["_id"]] = max(row["snapshot"], snapshots.get(row["_id"], 0))
    return snapshots


async def stopped_by(
    database: Database, collection: str, forks: Mapping[str, Mapping[tuple[int, str], int]]
) -> dict[str, int]:
    """Return the notes that these forks stop, and from which version on a snapshot heals them; see `stops_of`.

    Raises StoreUnavailable.
    """
    if not forks:
        return {}
    heals_from = stops_of(forks, {})
    return stops_of(forks, await snapshots_in(database, collection, forks, min(heals_from.values())))


async def stopped_in(database: Database, collection: str, note_ids: Collection[str]) -> set[str]:
    """Return those of these notes of which nothing is entered there. Raises StoreUnavailable."""
    with driver_errors():
        wanted = OF_FORKS | {"note_id": {"$in": list(note_ids)}}
        forks = places_by_note(await database[parked_of(collection)].find(wanted, _PLACE).to_list(None))
    return set(await stopped_by(database, collection, forks))


def next_notes(kind: str, after: str, limit: int) -> list[dict[str, Any]]:
    """Return the aggregation of the next notes, by id, of which something of a kind is kept, and its `first` version.

    The index jumps from note to note.
    """
    return [
        {"$match": {"kind": kind, "note_id": {"$gt": after}}},
        {"$sort": {"note_id": 1, "version": 1}},
        {"$group": {"_id": "$note_id", "first": {"$first": "$version"}}},
        {"$sort": {"_id": 1}},
        {"$limit": limit},
    ]


class ReadModelStore:
    """The projector's store of one read model in one build: a collection, and another for what is kept beside it.

    Every method raises StoreUnavailable.
    """

    def __init__(self, database: Database, collection: str) -> None:
        self._database = database
        self._documents = database[collection]
        self._parked = database[parked_of(collection)]
        self._many_until = -inf
        self._known_until = -inf
        self._noted: frozenset[str] = frozenset()
        self._changes = 0

    def forget(self) -> None:
        """Know nothing of what is stored any more: other notes are folded here now."""
        self._forget_beside()

    def _forget_beside(self) -> None:
        self._known_until = -inf
        self._changes += 1

    def _has_nothing_beside(self, note_ids: Collection[str]) -> bool:
        """Say whether it is known that nothing is kept of these notes.

        Everything is forgotten when this projector writes, and when its partitions change. A document of which
        something is kept says so (`parked`): ask all the same for one that does.
        """
        return monotonic() < self._known_until and self._noted.isdisjoint(note_ids)

    async def _beside(self, note_ids: Collection[str]) -> list[dict[str, Any]]:
        """Return what is kept of these notes.

        `events` wait, from version `first` to `last`; `forks` have `version`, `event_id` and `at`. There is hardly ever
        anything, so first all of it is asked for, if it is little: by note, each one of a batch is looked up three
        times, which costs MongoDB more than the note's document.
        """
        if monotonic() >= self._many_until:
            looked_at, changes = monotonic(), self._changes
            found = await self._grouped({"$match": _KINDS}, {"$limit": FEW + 1})
            if sum(item["events"] + len(item["forks"]) for item in found) <= FEW:
                if changes == self._changes:
                    self._known_until, self._noted = looked_at + KNOWN_S, frozenset(item["_id"] for item in found)
                return [item for item in found if item["_id"] in note_ids]
            self._many_until = monotonic() + MANY_S
        return await self._grouped({"$match": _KINDS | {"note_id": {"$in": list(note_ids)}}})

    async def _grouped(self, *steps: Mapping[str, Any]) -> list[dict[str, Any]]:
        with driver_errors():
            async with self._database.session() as session:
                found: list[dict[str, Any]] = await self._parked.aggregate([*steps, _BY_NOTE], session=session).to_list(
                    None
                )
        return found

    async def _keep_beside(self, documents: Sequence[Mapping[str, Any]], session: Any) -> None:
        self._forget_beside()
        await insert_missing(self._parked, documents, session)
        self._forget_beside()  # whoever looked meanwhile has seen a part of it

    async def _fork_documents(self, forks: Sequence[Fork]) -> list[dict[str, Any]]:
        """Return the documents of forks; those that a person has looked after are kept as such."""
        documents = [fork_document(fork) for fork in forks]
        with driver_errors():
            decided = await self._database[DROPPED].distinct("_id", {"_id": {"$in": [one["_id"] for one in documents]}})
        return [one | {"kind": "dropped"} if one["_id"] in decided else one for one in documents]

    async def disregarded(self, events: Collection[RecordedEvent]) -> set[ForkKey]:
        """Return those of these forks that count for nothing, by a person's decision."""
        keys = {fork_id(*event.identity): event.identity for event in events}
        wanted = {"_id": {"$in": list(keys)}, "disregard": True}
        with driver_errors():
            return {keys[id_] for id_ in await self._database[DROPPED].distinct("_id", wanted)}

    async def count_parked(self) -> tuple[int, int]:
        """Return how many events wait for a missing version, and how many forks are kept."""
        kinds: list[dict[str, Any]] = [
            {"$match": {"kind": {"$in": ["gap", "fork"]}}},
            {"$group": {"_id": "$kind", "number": {"$sum": 1}}},
        ]
        with driver_errors():
            found = {item["_id"]: item["number"] async for item in self._parked.aggregate(kinds)}
        return found.get("gap", 0), found.get("fork", 0)
