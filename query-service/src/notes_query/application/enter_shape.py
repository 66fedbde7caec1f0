"""Bring a shape with one document for each event up to date with decoded events."""

from collections.abc import Sequence

from notes_query.application.fold_batch import Counts
from notes_query.application.ports import EntryStore
from notes_query.projections.recorded_event import RecordedEvent
from notes_query.projections.shape import Entry


class EnterShape:
    """Write once what is not there. The first event of a version wins; any order will do, so nothing is parked."""

    def __init__(self, name: str, entry: Entry, store: EntryStore) -> None:
        self.name = name
        self._entry = entry
        self._store = store

    async def __call__(self, events: Sequence[RecordedEvent]) -> Counts:
        """Return what became of the events. Raises StoreUnavailable; the same again is harmless."""
        entries: dict[str, dict[str, object]] = {}
        for event in events:
            entry = self._entry(event)
            entries.setdefault(str(entry["_id"]), entry)
        if entries:
            await self._store.add(list(entries.values()))
        return Counts(applied=len(entries), ignored=len(events) - len(entries))
