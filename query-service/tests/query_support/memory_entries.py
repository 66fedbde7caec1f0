"""Documents of a read model with one for each event."""

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from typing import Any

from notes_query.projecting.pending import EntriesKnown, Fork, ForkKey, stops_of
from notes_query.projections.history import SNAPSHOT
from notes_query.projections.read_model import entry_id
from notes_query.projections.recorded_event import RecordedEvent


class MemoryEntries:
    """EntryStore."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.forks: dict[ForkKey, Fork] = {}
        self.disregarded_forks: set[ForkKey] = set()

    async def load(self, events: Collection[RecordedEvent], unseen: Collection[str] = ()) -> EntriesKnown:
        notes = {event.note_id for event in events}
        looked_for = {entry_id(event) for event in events}.difference(unseen)
        ids = {at: self.documents[at].get("event_id") for at in looked_for if at in self.documents}
        forks = {key: fork.at for key, fork in self.forks.items() if key[0] in notes}
        places: dict[str, dict[tuple[int, str], int]] = {}
        for (note_id, version, id_), place in forks.items():
            places.setdefault(note_id, {})[version, id_] = place
        return EntriesKnown(ids, set(forks), stops_of(places, self._highest(notes, SNAPSHOT)))

    async def highest(self, note_ids: Collection[str]) -> dict[str, int]:
        return self._highest(note_ids, None)

    def _highest(self, note_ids: Collection[str], type_: str | None) -> dict[str, int]:
        found: dict[str, int] = {}
        for entry in self.documents.values():
            if entry["note_id"] in note_ids and type_ in (None, entry["type"]):
                found[entry["note_id"]] = max(found.get(entry["note_id"], 0), entry["version"])
        return found

    async def write(self, entries: Sequence[Mapping[str, Any]], forks: Sequence[Fork]) -> set[str]:
        for fork in forks:
            self.forks.setdefault((fork.event.note_id, fork.event.version, fork.event.id), fork)
        taken = {entry["_id"] for entry in entries if entry["_id"] in self.documents}
        for entry in entries:
            self.documents.setdefault(entry["_id"], deepcopy(dict(entry)))
        return taken

    async def count_parked(self) -> tuple[int, int]:
        return 0, len(self.forks)

    async def disregarded(self, events: Collection[RecordedEvent]) -> set[ForkKey]:
        return {(one.note_id, one.version, one.id) for one in events} & self.disregarded_forks
