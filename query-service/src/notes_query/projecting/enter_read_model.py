"""Bring a read model with one document for each event up to date with decoded events."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import structlog

from notes_query.mongo.bulk import insert_missing
from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.beside import Beside
from notes_query.projecting.fold_batch import MAX_FORKS, Counts
from notes_query.projecting.fork_store import count_kept, disregarded, kept_forks, places
from notes_query.projecting.pending import EntriesKnown, Fork, ForkKey, stops_of
from notes_query.projecting.serving import parked_of
from notes_query.projections.history import SNAPSHOT
from notes_query.projections.read_model import Entry, entry_id
from notes_query.projections.recorded_event import RecordedEvent

log = structlog.get_logger(__name__)


class Entered(NamedTuple):
    """What a store has to write. `stops`: notes that are stopped then, as `EntriesKnown` says."""

    entries: list[dict[str, Any]]
    forks: list[Fork]
    stops: dict[str, int]
    counts: Counts


class EntryStore:
    """The projector's store of one such read model in one build: a collection, and that of its forks."""

    def __init__(self, database: Database, collection: str) -> None:
        self._database = database
        self._documents = database[collection]
        self._parked = database[parked_of(collection)]
        self._beside = Beside(database, self._parked)

    async def load(self, events: Collection[RecordedEvent]) -> EntriesKnown:
        """Return what is known of these events' versions and notes."""
        ids = list({entry_id(event) for event in events})
        there, beside = await asyncio.gather(self._found(ids), self._beside.of({event.note_id for event in events}))
        forks = {item["_id"]: places(item["forks"]) for item in beside}
        return EntriesKnown(
            {item["_id"]: item.get("event_id") for item in there},
            {(note_id, *place) for note_id, its in forks.items() for place in its},
            await self._stops(forks) if forks else {},
        )

    async def _found(self, ids: Sequence[str]) -> list[dict[str, Any]]:
        with driver_errors():
            async with self._database.session() as session:
                there = self._documents.find(
                    {"_id": {"$in": ids}}, {"event_id": 1}, batch_size=len(ids) + 1, session=session
                )
                found: list[dict[str, Any]] = await there.to_list(None)
        return found

    async def _stops(self, forks: Mapping[str, Mapping[tuple[int, str], int]]) -> dict[str, int]:
        snapshots = await self._highest({"note_id": {"$in": list(forks)}, "type": SNAPSHOT})
        return stops_of(forks, snapshots)

    async def highest(self, note_ids: Collection[str]) -> dict[str, int]:
        """Return the highest version that is entered of each note."""
        return await self._highest({"note_id": {"$in": list(note_ids)}})

    async def _highest(self, wanted: Mapping[str, Any]) -> dict[str, int]:
        steps: list[dict[str, Any]] = [
            {"$match": wanted},
            {"$group": {"_id": "$note_id", "version": {"$max": "$version"}}},
        ]
        with driver_errors():
            return {item["_id"]: item["version"] async for item in self._documents.aggregate(steps)}

    async def write(self, entries: Sequence[Mapping[str, Any]], forks: Sequence[Fork]) -> None:
        """Keep these; one that is there already stays as it is.

        Forks first: the events behind them are held up by them, if this stops half way.
        """
        kept = await kept_forks(self._database, forks) if forks else []
        async with self._database.session() as session:
            if kept:
                await insert_missing(self._parked, kept, session)
            if entries:
                await insert_missing(self._documents, entries, session)

    async def count_parked(self) -> tuple[int, int]:
        """Return 0, since no entry waits for another, and how many forks are kept."""
        return await count_kept(self._parked)

    async def disregarded(self, events: Collection[RecordedEvent]) -> set[ForkKey]:
        """Return those of these forks that count for nothing, by a person's decision."""
        return await disregarded(self._database, events)


def _nobody(_: Sequence[Mapping[str, Any]]) -> None:
    """Be told for nothing."""


class EnterReadModel:
    """Write once what is not there. The first event of a version wins, in any order.

    Another event of the same version is a fork. From then on nothing is entered of its note until a snapshot comes
    that is above all that is there: what belongs to which history cannot be told. `stored` is called with the entries
    of every write.
    """

    def __init__(
        self,
        name: str,
        entry: Entry,
        store: EntryStore,
        stored: Callable[[Sequence[Mapping[str, Any]]], None] = _nobody,
    ) -> None:
        self.name = name
        self._stored = stored
        self.store = store
        self._entry = entry

    async def __call__(self, events: Sequence[RecordedEvent]) -> Counts:
        """Return what became of the events. Raises StoreUnavailable; the same again is harmless."""
        if not events:
            return Counts()
        known = await self.store.load(events)
        found = enter_batch(events, known, {}, self._entry)
        if found.forks:
            disregarded = await self.store.disregarded([fork.event for fork in found.forks])
            kept = [event for event in events if (event.note_id, event.version, event.id) not in disregarded]
            highest = await self.store.highest({fork.event.note_id for fork in found.forks})
            found = enter_batch(kept, known, highest, self._entry)
            found.counts.ignored += len(events) - len(kept)
        if found.entries or found.forks:
            await self.store.write(found.entries, found.forks)
            self._stored(found.entries)
        for fork in found.forks:
            event = fork.event
            log.warning("fork", read_model=self.name, note_id=event.note_id, version=event.version, event_id=event.id)
        return found.counts

    async def heal(self, note_ids: Collection[str]) -> Counts:  # noqa: ARG002 - as a folded read model's
        """Do nothing: no entry waits for another."""
        return Counts()

    async def heal_next(self) -> Counts:
        """Do nothing, likewise."""
        return Counts()


def enter_batch(
    events: Sequence[RecordedEvent], known: EntriesKnown, highest: Mapping[str, int], entry: Entry
) -> Entered:
    """Return what has to be written. `highest`: the highest versions that are entered, of notes with forks."""
    ids, stops, tops = dict(known.ids), dict(known.stops), dict(highest)
    forks = set(known.forks)
    kept = Counter(note_id for note_id, _, _ in forks)
    found = Entered([], [], stops, Counts())
    for event in events:
        at, key = entry_id(event), (event.note_id, event.version, event.id)
        if at in ids:
            if ids[at] in (None, event.id) or event.stands_in or key in forks:
                found.counts.ignored += 1
                continue
            top = max(tops.get(event.note_id, 0), event.version)
            if kept[event.note_id] < MAX_FORKS:
                kept[event.note_id] += 1
                found.forks.append(Fork(event, top))
                forks.add(key)
            stops[event.note_id] = max(stops.get(event.note_id, 0), top + 1)
            found.counts.forked += 1
        elif event.version < stops.get(event.note_id, 0) or (event.note_id in stops and not event.is_snapshot):
            found.counts.ignored += 1
        else:
            stops.pop(event.note_id, None)
            found.entries.append(entry(event))
            ids[at] = None if event.stands_in else event.id
            tops[event.note_id] = max(tops.get(event.note_id, 0), event.version)
            found.counts.applied += 1
    return found
