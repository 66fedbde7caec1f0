"""Bring a read model with one document for each event up to date with decoded events."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

import structlog

from notes_query.mongo.driver import driver_errors, insert_missing
from notes_query.projecting.fold_batch import MAX_FORKS, Counts, add_counts
from notes_query.projecting.pending import EntriesKnown, Fork, Reached, stops_of
from notes_query.projecting.read_model_store import ReadModelStore, met_document, places, snapshots_in
from notes_query.projections.read_model import Entry, RecordedEvent, entry_id

log = structlog.get_logger(__name__)


class Entered(NamedTuple):
    """What a store has to write. `stops`: notes that are stopped then, as `EntriesKnown` says.

    `taken`: ids of those of the entries that were there already. `met`: snapshots that count, and are not among the
    entries because their versions are.
    """

    entries: list[dict[str, Any]]
    forks: list[Fork]
    stops: dict[str, int]
    counts: Counts
    taken: set[str]
    met: list[RecordedEvent]


class EntryStore(ReadModelStore):
    """The store of such a read model. No entry waits for another, so forks are all that is kept beside."""

    async def load(self, events: Collection[RecordedEvent], unseen: Collection[str] = ()) -> EntriesKnown:
        """Return what is known of these events' versions and notes. `unseen`: ids of entries that are not looked for.

        What this store knows is not read again.
        """
        ids = list({entry_id(event) for event in events}.difference(unseen))
        notes = {event.note_id for event in events}
        if self._has_nothing_beside(notes):
            return EntriesKnown(await self._event_ids(ids))
        there, beside = await asyncio.gather(self._event_ids(ids), self._beside(notes))
        forks = {item["_id"]: places(item["forks"]) for item in beside}
        return EntriesKnown(
            there,
            {(note_id, *place) for note_id, its in forks.items() for place in its},
            stops_of(forks, await snapshots_in(self._database, self._documents.name, forks)) if forks else {},
        )

    async def _event_ids(self, ids: Sequence[str]) -> dict[str, str | None]:
        if not ids:
            return {}
        with driver_errors():
            async with self._database.session() as session:
                there = self._documents.find(
                    {"_id": {"$in": ids}}, {"event_id": 1}, batch_size=len(ids) + 1, session=session
                )
                return {item["_id"]: item.get("event_id") for item in await there.to_list(None)}

    async def reached(self, note_ids: Collection[str]) -> dict[str, Reached]:
        """Return how far the entries of each note go without a hole.

        By an index alone, which counts them: the versions of a note are read only if there is a hole.
        """
        of_all = {"$group": {"_id": "$note_id", "last": {"$max": "$version"}, "number": {"$sum": 1}}}
        with driver_errors():
            async with self._database.session() as session:
                steps = [{"$match": {"note_id": {"$in": list(note_ids)}}}, of_all]
                found = await self._documents.aggregate(steps, session=session).to_list(None)
                reached = {item["_id"]: Reached(item["last"]) for item in found if item["last"] == item["number"]}
                if not (holed := [note_id for note_id in note_ids if note_id not in reached]):
                    return reached
                wanted, fields = {"note_id": {"$in": holed}}, {"_id": 0, "note_id": 1, "version": 1}
                there = await self._documents.find(wanted, fields, session=session).to_list(None)
        reached |= {note_id: Reached() for note_id in holed}
        for item in there:
            reached[item["note_id"]].beyond.add(item["version"])
        snapshots = await snapshots_in(self._database, self._documents.name, holed)
        for note_id in holed:
            reached[note_id].jump(snapshots.get(note_id, 0))
        return reached

    async def write(
        self, entries: Sequence[Mapping[str, Any]], forks: Sequence[Fork], met: Sequence[RecordedEvent] = ()
    ) -> set[str]:
        """Keep these; one that is there already stays as it is. Return the ids of these entries.

        Forks first: the events behind them are held up by them, if this stops half way. Then the snapshots that met
        an entry: they are what lets the entries behind them in.
        """
        kept = await self._fork_documents(forks) if forks else []
        async with self._database.session() as session:
            if kept:
                await self._keep_beside(kept, session)
            if met:
                await self._keep_beside([met_document(one) for one in met], session)
            taken = await insert_missing(self._documents, entries, session) if entries else []
        return {entries[place]["_id"] for place in taken}


class EnterReadModel:
    """Write once what is not there. The first event of a version wins, in any order.

    Another event of the same version is a fork. From then on nothing is entered of its note until a snapshot comes
    that heals the note's document, too: what belongs to which history cannot be told. Such a snapshot need not be above
    all that is there: behind a gap entries are further than the document. `stored` is called with id and version, at
    least, of the entries that are stored, also of those found so.
    """

    def __init__(
        self,
        name: str,
        entry: Entry,
        store: EntryStore,
        stored: Callable[[Sequence[Mapping[str, Any]]], None] = lambda _: None,
    ) -> None:
        self.name = name
        self._stored = stored
        self.store = store
        self._entry = entry
        self._expects_new = True

    async def __call__(self, events: Sequence[RecordedEvent]) -> Counts:
        """Return what became of the events. Raises StoreUnavailable; the same again is harmless.

        An entry is likely to be new, so it is not looked for where its event is the only one of its note: nothing here
        depends on it. If it is there, the insert says so, and no such guess is made until a batch shows that it would
        have been right.
        """
        if not events:
            return Counts()
        of_notes = Counter(event.note_id for event in events)
        new = {entry_id(event) for event in events if of_notes[event.note_id] == 1}
        known = await self.store.load(events, new if self._expects_new else ())
        if any(event.note_id in known.stops for event in events):
            # Of a stopped note nothing is inserted, so nothing would say that it is there and this one a fork.
            known = await self.store.load(events)
        found = await self._enter(events, known)
        if new:
            self._expects_new = new.isdisjoint(found.taken) and new.isdisjoint(known.ids)
        if found.taken:
            # Of several events of an entry the first has made it; the others are counted already.
            made: dict[str, RecordedEvent] = {}
            for event in events:
                if (at := entry_id(event)) in found.taken:
                    made.setdefault(at, event)
            found.counts.applied -= len(made)
            again = list(made.values())
            add_counts(found.counts, (await self._enter(again, await self.store.load(again))).counts)
        return found.counts

    async def _enter(self, events: Sequence[RecordedEvent], known: EntriesKnown) -> Entered:
        found = enter_batch(events, known, {}, self._entry)
        if found.forks or found.met:
            forked = [fork.event for fork in found.forks]
            disregarded = await self.store.disregarded(forked) if forked else set()
            kept = [event for event in events if event.identity not in disregarded]
            reached = await self.store.reached({event.note_id for event in (*forked, *found.met)})
            found = enter_batch(kept, known, reached, self._entry)
            found.counts.ignored += len(events) - len(kept)
        if found.entries or found.forks or found.met:
            found.taken.update(await self.store.write(found.entries, found.forks, found.met))
            self._stored([one for one in found.entries if one["_id"] not in found.taken])
        # Told as well: MongoDB's answer to the write that stored them may have been lost, and readers wait.
        if there := [{"_id": at, "version": one.version} for one in events if (at := entry_id(one)) in known.ids]:
            self._stored(there)
        for fork in found.forks:
            event = fork.event
            log.warning("fork", read_model=self.name, note_id=event.note_id, version=event.version, event_id=event.id)
        return found

    async def heal(self, note_ids: Collection[str]) -> Counts:  # noqa: ARG002 - as a folded read model's
        """Do nothing: no entry waits for another."""
        return Counts()

    async def heal_next(self) -> Counts:
        """Do nothing, likewise."""
        return Counts()


def enter_batch(
    events: Sequence[RecordedEvent], known: EntriesKnown, reached: Mapping[str, Reached], entry: Entry
) -> Entered:
    """Return what has to be written.

    `reached`: of notes with forks, or with snapshots of versions that are entered; what is entered here goes into it.
    Where it is not given, forks have no right place yet, and snapshots may be told of that change nothing.
    """
    ids, stops = dict(known.ids), dict(known.stops)
    forks = set(known.forks)
    kept = Counter(note_id for note_id, _, _ in forks)
    found = Entered([], [], stops, Counts(), set(), [])
    for event in events:
        at, key = entry_id(event), event.identity
        stop, level = stops.get(event.note_id), reached.get(event.note_id)
        if event.is_snapshot and at in ids:
            found.counts.ignored += 1
            if event.version >= (stop or 0) and (stop or level is None or event.version > level.version):
                found.met.append(event)
                stops.pop(event.note_id, None)
                if level is not None:
                    level.jump(event.version)
        elif at in ids:
            if ids[at] in (None, event.id) or event.stands_in or key in forks:
                found.counts.ignored += 1
                continue
            place = event.version if level is None else level.version
            if kept[event.note_id] < MAX_FORKS:
                kept[event.note_id] += 1
                found.forks.append(Fork(event, place))
                forks.add(key)
            stops[event.note_id] = max(stop or 0, place + 1, event.version)
            found.counts.forked += 1
        elif stop and (event.version < stop or not event.is_snapshot):
            found.counts.ignored += 1
        else:
            stops.pop(event.note_id, None)
            found.entries.append(entry(event))
            ids[at] = None if event.stands_in else event.id
            if level is not None:
                (level.jump if event.is_snapshot else level.enter)(event.version)
            found.counts.applied += 1
    return found
