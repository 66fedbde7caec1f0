"""What is kept beside the documents of a folded read model: waiting events and forks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import inf
from time import monotonic
from typing import Any, Final

from notes_query.mongo.database import Database
from notes_query.mongo.driver import driver_errors, insert_missing
from notes_query.projecting.pending import Fork, ForkKey
from notes_query.projections.read_model import RecordedEvent, entry_key, parked_of

DROPPED: Final = "dropped_forks"
OF_FORKS: Final[dict[str, Any]] = {"kind": {"$in": ["fork", "dropped"]}}
"""The kinds of forks. `dropped` ones stop a note as others do, but are neither shown nor counted."""
FORK_FIELDS: Final = {"note_id": 1, "version": 1, "event_id": 1, "at": 1}
FEW: Final = 100
"""Waiting events and forks of a read model up to which all are read, instead of those of a batch's notes."""
MANY_S: Final = 60.0
"""Seconds after which the store checks again whether there are few."""
KNOWN_S: Final = 5.0
"""Seconds for which all that was read counts. Meanwhile only a redrive in another process adds to it."""
JUMPED: Final = 20_000
"""Ids of waiting events that are read for the snapshots of one batch."""
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
"""All kinds that are asked for by note. They are named because the index begins with the kind."""


def fork_id(note_id: str, version: int, event_id: str) -> str:
    """Return the id of a fork, and of the decision to drop it."""
    return f"{note_id}:{version}:{event_id}"


def beside_fields(event: RecordedEvent, kind: str) -> dict[str, Any]:
    """Return the fields of an event that is kept beside its note's document; `kind`: gap or fork."""
    return {
        "kind": kind,
        "note_id": event.note_id,
        "version": event.version,
        "event_id": event.id,
        "type": event.type,
        "parked_at": datetime.now(UTC),
    }


def fork_document(fork: Fork) -> dict[str, Any]:
    """Return the document of a fork. It names the event's place in Kafka, and has nothing of its content."""
    event, record = fork.event, fork.event.record
    return {
        "_id": fork_id(*event.identity),
        **beside_fields(event, "fork"),
        "at": fork.found_at,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
    }


def places(forks: Iterable[dict[str, Any]]) -> dict[tuple[int, str], int]:
    """Return the version of the document at which each fork was found, by the fork's version and event id."""
    found: dict[tuple[int, str], int] = {}
    for fork in forks:
        found_at = fork.get("at")
        # An earlier release did not keep it: it found forks of the document's own version alone.
        found[fork["version"], fork["event_id"]] = fork["version"] if found_at is None else found_at
    return found


def places_by_note(forks: Iterable[dict[str, Any]]) -> dict[str, dict[tuple[int, str], int]]:
    """Return what `places` does for the forks of each note."""
    found: dict[str, dict[tuple[int, str], int]] = {}
    for fork in forks:
        found.setdefault(fork["note_id"], {}).update(places([fork]))
    return found


def next_notes(kind: str, after: str, limit: int) -> list[dict[str, Any]]:
    """Return the aggregation of the next notes, by id, that have something of a kind, and the `first` version of it.

    MongoDB jumps from note to note in the index.
    """
    return [
        {"$match": {"kind": kind, "note_id": {"$gt": after}}},
        {"$sort": {"note_id": 1, "version": 1}},
        {"$group": {"_id": "$note_id", "first": {"$first": "$version"}}},
        {"$sort": {"_id": 1}},
        {"$limit": limit},
    ]


class ReadModelStore:
    """The projector's store of one folded read model in one build: the documents, and a collection beside them.

    Every method raises StoreUnavailable.
    """

    def __init__(self, database: Database, collection: str) -> None:
        self._database = database
        self._documents = database[collection]
        self._parked = database[parked_of(collection)]
        self._many_until = -inf
        self._known_until = -inf
        self._notes_beside: frozenset[str] = frozenset()
        self._changes = 0

    def forget(self) -> None:
        """Forget what is known of the stored documents, because the projector's partitions have changed."""
        self._forget_beside()

    def _forget_beside(self) -> None:
        self._known_until = -inf
        self._changes += 1

    def _has_nothing_beside(self, note_ids: Collection[str]) -> bool:
        """Return whether nothing is kept beside these notes, as far as this store knows.

        It forgets that when it writes something there, and when the projector's partitions change. If the document of
        a note says `parked`, something is kept beside it all the same.
        """
        return monotonic() < self._known_until and self._notes_beside.isdisjoint(note_ids)

    async def _beside(self, note_ids: Collection[str]) -> list[dict[str, Any]]:
        """Return what is kept beside these notes.

        `events` wait, from version `first` to `last`; `forks` have `version`, `event_id` and `at`. Hardly anything is
        kept, so this reads all of it, if there are few. To look for each note of a batch takes three steps in the
        index, which costs MongoDB more than to read the note's document.
        """
        if monotonic() >= self._many_until:
            asked_at = monotonic()
            changes = self._changes
            found = await self._grouped({"$match": _KINDS}, {"$limit": FEW + 1})
            if sum(item["events"] + len(item["forks"]) for item in found) <= FEW:
                if changes == self._changes:
                    self._known_until = asked_at + KNOWN_S
                    self._notes_beside = frozenset(item["_id"] for item in found)
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

    async def _ids_of_waiting(
        self, note_ids: Collection[str], events: Sequence[RecordedEvent]
    ) -> dict[str, dict[int, str]]:
        """Return the ids of waiting events of these notes, by note and version.

        They are those of the versions that `events` have. Of notes that have a snapshot among the events they are all:
        it jumps over them. Beyond JUMPED of them none is known.
        """
        of_these = [event for event in events if event.note_id in note_ids]
        wanted = [entry_key(event.note_id, event.version) for event in of_these if not event.is_snapshot]
        jumped = list({event.note_id for event in of_these if event.is_snapshot})
        found: dict[str, dict[int, str]] = {}
        if of_these:
            these: dict[str, Any] = {"_id": {"$in": wanted}}
            if jumped:
                these = {"$or": [these, {"kind": "gap", "note_id": {"$in": jumped}}]}
            fields = {"_id": 0, "note_id": 1, "version": 1, "event_id": 1}
            with driver_errors():
                async for item in self._parked.find(these, fields, limit=len(wanted) + JUMPED):
                    found.setdefault(item["note_id"], {})[item["version"]] = item["event_id"]
        return found

    async def _keep_beside(self, documents: Sequence[Mapping[str, Any]], session: Any) -> None:
        self._forget_beside()
        await insert_missing(self._parked, documents, session)
        self._forget_beside()  # a task that read meanwhile may have seen a part of it

    async def _fork_documents(self, forks: Sequence[Fork]) -> list[dict[str, Any]]:
        """Return the documents of forks. Forks that a person has dropped before have that kind."""
        documents = [fork_document(fork) for fork in forks]
        ids = [document["_id"] for document in documents]
        with driver_errors():
            dropped = await self._database[DROPPED].distinct("_id", {"_id": {"$in": ids}})
        for document in documents:
            if document["_id"] in dropped:
                document["kind"] = "dropped"
        return documents

    async def disregarded(self, events: Collection[RecordedEvent]) -> set[ForkKey]:
        """Return those of these forks that a person has decided to ignore."""
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
