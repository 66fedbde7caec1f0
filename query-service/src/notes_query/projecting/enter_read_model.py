"""Bring a read model with one document for each event up to date: what is missing is inserted, what is there stays."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from notes_query.mongo.database import Database
from notes_query.mongo.driver import by_id, driver_errors, insert_missing
from notes_query.projecting.counts import Counts
from notes_query.projections.read_model import Entry, RecordedEvent


class EntryStore:
    """The projector's store of such a read model in one build."""

    def __init__(self, database: Database, collection: str) -> None:
        self._database = database
        self._documents = database[collection]
        self._repeats = False

    async def add(self, entries: Sequence[Mapping[str, Any]]) -> int:
        """Insert what is missing; return how many were there already. Raises StoreUnavailable, DocumentRefused.

        After a batch of which something was there, the next one is looked for: when all events are read again,
        MongoDB takes ten times as long to refuse an insert as to find the entry.
        """
        found: Mapping[str, Any] = {}
        async with self._database.session() as session:
            if self._repeats:
                with driver_errors():
                    found = await by_id(self._documents, [entry["_id"] for entry in entries], {"_id": 1}, session)
            missing = [entry for entry in entries if entry["_id"] not in found]
            taken = await insert_missing(self._documents, missing, session) if missing else []
        self._repeats = bool(found or taken)
        return len(found) + len(taken)


class EnterReadModel:
    """Insert the entries that are missing. The first event of a version wins, in any order.

    It judges no forks: the note does, and readers get no entry above the note's version.
    `stored` is called with the entries that are stored, also with those that were found stored.
    """

    def __init__(
        self,
        entry: Entry,
        store: EntryStore,
        stored: Callable[[Sequence[Mapping[str, Any]]], None] = lambda _: None,
    ) -> None:
        self._entry = entry
        self._store = store
        self._stored = stored

    async def __call__(self, events: Sequence[RecordedEvent]) -> Counts:
        """Return what became of the events. Raises StoreUnavailable; the same again is harmless."""
        entries: dict[str, dict[str, Any]] = {}
        for document in map(self._entry, events):
            entries.setdefault(document["_id"], document)
        there = await self._store.add(list(entries.values()))
        # Readers of entries that were there wait as well, if MongoDB's answer to an earlier write was lost.
        self._stored(list(entries.values()))
        applied = len(entries) - there
        return Counts(applied=applied, ignored=len(events) - applied)
