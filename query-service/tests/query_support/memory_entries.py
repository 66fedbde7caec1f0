"""Documents of a read model with one for each event."""

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from typing import Any

from notes_query.projecting.pending import EntriesKnown, Fork, ForkKey, Reached, stops_of
from notes_query.projections.history import SNAPSHOT
from notes_query.projections.read_model import RecordedEvent, entry_id


class MemoryEntries:
    """EntryStore."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.forks: dict[ForkKey, Fork] = {}
        self.disregarded_forks: set[ForkKey] = set()
        self.met: set[tuple[str, int]] = set()

    async def load(self, events: Collection[RecordedEvent], unseen: Collection[str] = ()) -> EntriesKnown:
        notes = {event.note_id for event in events}
        looked_for = {entry_id(event) for event in events}.difference(unseen)
        ids = {at: self.documents[at].get("event_id") for at in looked_for if at in self.documents}
        forks = {key: fork.found_at for key, fork in self.forks.items() if key[0] in notes}
        places: dict[str, dict[tuple[int, str], int]] = {}
        for (note_id, version, id_), place in forks.items():
            places.setdefault(note_id, {})[version, id_] = place
        return EntriesKnown(ids, set(forks), stops_of(places, self._snapshots(notes)))

    async def reached(self, note_ids: Collection[str]) -> dict[str, Reached]:
        found = {}
        for note_id in note_ids:
            versions = [one["version"] for one in self.documents.values() if one["note_id"] == note_id]
            found[note_id] = Reached()
            found[note_id].enter_all(sorted(versions))
            found[note_id].jump(self._snapshots({note_id}).get(note_id, 0))
        return found

    def _snapshots(self, note_ids: Collection[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        entered = {(one["note_id"], one["version"]) for one in self.documents.values() if one["type"] == SNAPSHOT}
        for note_id, version in entered | self.met:
            if note_id in note_ids:
                found[note_id] = max(found.get(note_id, 0), version)
        return found

    async def write(
        self, entries: Sequence[Mapping[str, Any]], forks: Sequence[Fork], met: Sequence[RecordedEvent] = ()
    ) -> set[str]:
        self.met.update((event.note_id, event.version) for event in met)
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
