"""Documents of a read model with one for each event, as the projector writes them."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from notes_query.mongo.bulk import insert_missing
from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.fork_store import OF_FORKS, count_kept, disregarded, kept_forks, places_by_note
from notes_query.projecting.pending import EntriesKnown, Fork, ForkKey, stops_of
from notes_query.projecting.serving import parked_of
from notes_query.projections.history import SNAPSHOT
from notes_query.projections.read_model import entry_id
from notes_query.projections.recorded_event import RecordedEvent


class MongoEntryStore:
    """The projector's store of one such read model in one build: a collection, and that of its forks."""

    def __init__(self, database: Database, collection: str) -> None:
        self._database = database
        self._documents = database[collection]
        self._parked = database[parked_of(collection)]

    async def load(self, events: Collection[RecordedEvent]) -> EntriesKnown:
        """See EntryStore."""
        ids = list({entry_id(event) for event in events})
        kept = OF_FORKS | {"note_id": {"$in": list({event.note_id for event in events})}}
        with driver_errors():
            there, forks = await asyncio.gather(
                self._found(self._documents, {"_id": {"$in": ids}}, {"event_id": 1}, len(ids) + 1),
                self._found(self._parked, kept, {"_id": 0, "note_id": 1, "version": 1, "event_id": 1, "at": 1}),
            )
        return EntriesKnown(
            {item["_id"]: item.get("event_id") for item in there},
            {(one["note_id"], one["version"], one["event_id"]) for one in forks},
            await self._stops(forks) if forks else {},
        )

    async def _found(
        self, collection: Any, wanted: Mapping[str, Any], fields: Mapping[str, int], batch_size: int = 0
    ) -> list[dict[str, Any]]:
        async with self._database.session() as session:
            there = collection.find(wanted, fields, batch_size=batch_size, session=session)
            found: list[dict[str, Any]] = await there.to_list(None)
        return found

    async def _stops(self, forks: Sequence[dict[str, Any]]) -> dict[str, int]:
        note_ids = {one["note_id"] for one in forks}
        snapshots = await self._highest({"note_id": {"$in": list(note_ids)}, "type": SNAPSHOT})
        return stops_of(places_by_note(forks), snapshots)

    async def highest(self, note_ids: Collection[str]) -> dict[str, int]:
        """See EntryStore."""
        return await self._highest({"note_id": {"$in": list(note_ids)}})

    async def _highest(self, wanted: Mapping[str, Any]) -> dict[str, int]:
        steps: list[dict[str, Any]] = [
            {"$match": wanted},
            {"$group": {"_id": "$note_id", "version": {"$max": "$version"}}},
        ]
        with driver_errors():
            return {item["_id"]: item["version"] async for item in self._documents.aggregate(steps)}

    async def write(self, entries: Sequence[Mapping[str, Any]], forks: Sequence[Fork]) -> None:
        """See EntryStore. Forks first: the events behind them are held up by them, if this stops half way."""
        kept = await kept_forks(self._database, forks) if forks else []
        async with self._database.session() as session:
            if kept:
                await insert_missing(self._parked, kept, session)
            if entries:
                await insert_missing(self._documents, entries, session)

    async def count_parked(self) -> tuple[int, int]:
        """See EntryStore."""
        return await count_kept(self._parked)

    async def disregarded(self, events: Collection[RecordedEvent]) -> set[ForkKey]:
        """See EntryStore."""
        return await disregarded(self._database, events)
