"""Many notes by their ids, in one query, for readers who wait: from the primary, which has what they were woken for."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from notes_query.mongo.database import MISSING_VERSIONS, Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.ports import View
from notes_query.projecting.serving import Serving, parked_of
from notes_query.reads.note_reader import VIEW, newer
from notes_query.reads.served import Served


class MongoManyNotes:
    """ManyNotes."""

    def __init__(self, database: Database, serving: Serving) -> None:
        self._served = Served(database, serving)
        self._missing = database[MISSING_VERSIONS]

    async def views(self, note_ids: Collection[str]) -> Mapping[str, View]:
        """See ManyNotes."""
        ids = list(note_ids)
        served, before = self._served["notes"], self._served.before("notes")
        found = await _found(served, ids)
        if before is None:
            return found
        old = await _found(before, ids)
        both = {note_id: newer(found.get(note_id), old.get(note_id)) for note_id in found.keys() | old.keys()}
        return {note_id: note for note_id, note in both.items() if note is not None}

    async def with_waiting(self, note_ids: Collection[str]) -> Mapping[str, bool]:
        """See ManyNotes."""
        ids = list(note_ids)
        parked = self._served.beside("notes", parked_of)
        with driver_errors():
            waiting, missing = await asyncio.gather(
                parked.distinct("note_id", {"kind": "gap", "note_id": {"$in": ids}}),
                self._missing.distinct("_id", {"_id": {"$in": ids}}),
            )
        return dict.fromkeys([*waiting, *missing], True)


async def _found(notes: Any, ids: Sequence[str]) -> dict[str, View]:
    with driver_errors():
        found = await notes.find({"_id": {"$in": ids}}, VIEW, batch_size=len(ids) + 1).to_list(None)
    return {note["_id"]: note for note in found}
