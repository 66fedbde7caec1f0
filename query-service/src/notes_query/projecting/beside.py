"""What is kept beside a read model's documents, by note: how many events wait for a missing version, and the forks."""

from collections.abc import Collection, Mapping
from math import inf
from time import monotonic
from typing import Any, Final

from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors

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


class Beside:
    """Asks for what is kept beside the documents of a collection, in its collection `parked`."""

    def __init__(self, database: Database, parked: Any) -> None:
        self._database = database
        self._parked = parked
        self._many_until = -inf
        self._known_until = -inf
        self._noted: frozenset[str] = frozenset()
        self._changes = 0

    def has_nothing_of(self, note_ids: Collection[str]) -> bool:
        """Say whether it is known that nothing is kept of these notes.

        What this projector writes itself is told to `forget`, and so is a change of its partitions. A document of which
        something is kept says so (`parked`): ask all the same for one that does.
        """
        return monotonic() < self._known_until and self._noted.isdisjoint(note_ids)

    def forget(self) -> None:
        """Know nothing any more: something was written, or other notes are folded here now."""
        self._known_until = -inf
        self._changes += 1

    async def of(self, note_ids: Collection[str]) -> list[dict[str, Any]]:
        """Return what is kept of these notes. Raises StoreUnavailable.

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
