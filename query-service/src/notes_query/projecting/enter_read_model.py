"""Bring a read model with one document for each event up to date with decoded events."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

import structlog

from notes_query.mongo.driver import driver_errors, entry_pages, insert_missing
from notes_query.projecting.counts import Counts, add_counts
from notes_query.projecting.enter_batch import Entered, enter_batch
from notes_query.projecting.pending import EntriesKnown, Fork, Reached
from notes_query.projecting.read_model_store import (
    ReadModelStore,
    places,
    snapshot_document,
    snapshots_in,
    stopped_by,
)
from notes_query.projections.read_model import Entry, RecordedEvent, entry_id

log = structlog.get_logger(__name__)


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
        fork_keys = {(note_id, *key) for note_id, its in forks.items() for key in its}
        return EntriesKnown(there, fork_keys, await stopped_by(self._database, self._documents.name, forks))

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

        The versions come from the index alone, page by page: a history may be too long for one query.
        """
        reached = {note_id: Reached() for note_id in note_ids}
        versions = {"versions": {"$push": "$version"}}
        with driver_errors():
            async with self._database.session() as session:
                async for page in entry_pages(self._documents, note_ids, 1, versions, session):
                    for found in page:
                        reached[found["_id"]].enter_all(found["versions"])
        holed = [note_id for note_id, its in reached.items() if its.beyond]
        if holed:
            above_holes = min(reached[note_id].version for note_id in holed) + 1
            snapshots = await snapshots_in(self._database, self._documents.name, holed, above_holes)
            for note_id, version in snapshots.items():
                reached[note_id].jump(version)
        return reached

    async def write(
        self,
        entries: Sequence[Mapping[str, Any]],
        forks: Sequence[Fork],
        healing_snapshots: Sequence[RecordedEvent] = (),
    ) -> set[str]:
        """Insert what is missing. Return the ids of the entries that were there already; these stay as they are.

        Forks come first: if this stops half way, they hold up the events behind them. Then come the snapshots: they
        let the entries behind them in.
        """
        kept = await self._fork_documents(forks) if forks else []
        async with self._database.session() as session:
            if kept:
                await self._keep_beside(kept, session)
            if healing_snapshots:
                await self._keep_beside([snapshot_document(snapshot) for snapshot in healing_snapshots], session)
            taken = await insert_missing(self._documents, entries, session) if entries else []
        return {entries[index]["_id"] for index in taken}


class EnterReadModel:
    """Insert the entries that are missing. The first event of a version wins, in any order.

    Another event of the same version is a fork. It stops its note: nobody can tell which history the next events belong
    to, so none is entered until a snapshot comes that also heals the note's folded document. Behind a gap the entries
    are further than that document, so the version of such a snapshot may have an entry already.
    `stored` is called with at least id and version of each entry that is stored, also of those found stored.
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
        """Return what became of the events. Raises StoreUnavailable; the same again is harmless."""
        if not events:
            return Counts()
        likely_new = _lone_entries(events)
        known = await self._load(events, likely_new if self._expects_new else ())
        entered = await self._enter(events, known)
        if likely_new:
            self._expects_new = likely_new.isdisjoint(entered.taken) and likely_new.isdisjoint(known.ids)
        if entered.taken:
            await self._enter_again(events, entered)
        return entered.counts

    async def _load(self, events: Sequence[RecordedEvent], unseen: Collection[str]) -> EntriesKnown:
        """Return what is known of the events' versions and notes.

        The entries `unseen` are likely to be new, so they are not looked for: the insert says which were there. That
        guess is not made again until a batch shows that it would have been right.
        """
        known = await self.store.load(events, unseen)
        if unseen and any(event.note_id in known.heals_from for event in events):
            # Nothing is inserted of a stopped note, so no insert would say that an entry is there, and this a fork.
            known = await self.store.load(events)
        return known

    async def _enter_again(self, events: Sequence[RecordedEvent], entered: Entered) -> None:
        """Compare the events whose entries were taken with what is there, and correct the counts of `entered`."""
        # The first event of an entry was counted as applied; others of the same entry were compared with that one.
        firsts: dict[str, RecordedEvent] = {}
        for event in events:
            id_ = entry_id(event)
            if id_ in entered.taken:
                firsts.setdefault(id_, event)
        again = list(firsts.values())
        entered.counts.applied -= len(again)
        compared = await self._enter(again, await self.store.load(again))
        add_counts(entered.counts, compared.counts)

    async def _enter(self, events: Sequence[RecordedEvent], known: EntriesKnown) -> Entered:
        entered = enter_batch(events, known, {}, self._entry)
        if entered.forks or entered.healing_snapshots:
            entered = await self._enter_with_reached(events, known, entered)
        if entered.entries or entered.forks or entered.healing_snapshots:
            taken = await self.store.write(entered.entries, entered.forks, entered.healing_snapshots)
            entered.taken.update(taken)
            self._stored([document for document in entered.entries if document["_id"] not in taken])
        self._notify_of_known(events, known)
        for event, _ in entered.forks:
            log.warning("fork", read_model=self.name, note_id=event.note_id, version=event.version, event_id=event.id)
        return entered

    async def _enter_with_reached(
        self, events: Sequence[RecordedEvent], known: EntriesKnown, first: Entered
    ) -> Entered:
        """Enter the events once more, without forks that a person has disregarded, and knowing how far notes are."""
        forked = [fork.event for fork in first.forks]
        disregarded = await self.store.disregarded(forked) if forked else set()
        kept = [event for event in events if event.identity not in disregarded]
        reached = await self.store.reached({event.note_id for event in (*forked, *first.healing_snapshots)})
        entered = enter_batch(kept, known, reached, self._entry)
        entered.counts.ignored += len(events) - len(kept)
        return entered

    def _notify_of_known(self, events: Sequence[RecordedEvent], known: EntriesKnown) -> None:
        """Notify of entries found stored: MongoDB's answer to the write may have been lost, and readers wait."""
        found = []
        for event in events:
            id_ = entry_id(event)
            if id_ in known.ids:
                found.append({"_id": id_, "version": event.version})
        if found:
            self._stored(found)

    async def heal(self, note_ids: Collection[str]) -> Counts:  # noqa: ARG002 - as a folded read model's
        """Do nothing: no entry waits for another."""
        return Counts()

    async def heal_next(self) -> Counts:
        """Do nothing, likewise."""
        return Counts()


def _lone_entries(events: Sequence[RecordedEvent]) -> set[str]:
    """Return the ids of the entries of those events that are the only ones of their note here."""
    of_notes = Counter(event.note_id for event in events)
    return {entry_id(event) for event in events if of_notes[event.note_id] == 1}
