"""Documents of a folded read model, and what is kept beside them."""

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from typing import Any

from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.pending import Fork, ForkKey, Parked, Pending, stops_of
from notes_query.projecting.stored_record import bytes_in
from notes_query.projections.read_model import Folded, RecordedEvent


class MemoryFolds:
    """FoldStore."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.waiting_events: dict[tuple[str, int], RecordedEvent] = {}
        self.forks: dict[ForkKey, Fork] = {}
        self.disregarded_forks: set[ForkKey] = set()
        self.ids: dict[tuple[str, int], bytes] = {}

    async def load(
        self, note_ids: Collection[str], events: Sequence[RecordedEvent], unseen: Collection[str] = ()
    ) -> tuple[dict[str, Folded], dict[str, Pending]]:
        looked_for = set(note_ids).difference(unseen)
        documents = {id_: deepcopy(self.documents[id_]) for id_ in looked_for if id_ in self.documents}
        received = {(event.note_id, event.version) for event in events}
        jumped = {event.note_id for event in events if event.is_snapshot}
        received |= {one for one in self.waiting_events if one[0] in jumped}
        pending = {note_id: self._pending(note_id, received) for note_id in note_ids}
        return documents, {note_id: one for note_id, one in pending.items() if one != Pending()}

    def _pending(self, note_id: str, received: set[tuple[str, int]]) -> Pending:
        versions = self._versions(note_id)
        return Pending(
            len(versions),
            min(versions, default=0),
            max(versions, default=0),
            {at: self.waiting_events[note_id, at].id for at in versions if (note_id, at) in received},
            {(at, id_): fork.found_at for (note, at, id_), fork in self.forks.items() if note == note_id},
        )

    def _versions(self, note_id: str) -> list[int]:
        return sorted(version for note, version in self.waiting_events if note == note_id)

    async def blocks(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        return {one: self.ids[one] for one in wanted if one in self.ids}

    async def waiting(self, after: Mapping[str, int], max_bytes: int, max_events: int) -> list[Parked]:
        found: list[Parked] = []
        for note_id, at in after.items():
            version = at + 1
            while (event := self.waiting_events.get((note_id, version))) and max_bytes > 0 and len(found) < max_events:
                found.append(Parked(note_id, version, event.record))
                max_bytes -= bytes_in(event.record)
                version += 1
        return found

    async def write(self, writes: Writes) -> set[str]:
        self._keep(writes)
        taken = self._store(writes)
        for note_id, version in writes.unparks:
            for at in self._versions(note_id):
                if note_id not in taken and at <= version:
                    del self.waiting_events[note_id, at]
        for evicted in writes.evicts:
            if evicted[0] not in taken:
                self.waiting_events.pop(evicted, None)
        return taken

    def _keep(self, writes: Writes) -> None:
        for event in writes.parks:
            self.waiting_events.setdefault((event.note_id, event.version), event)
        for fork in writes.forks:
            self.forks.setdefault((fork.event.note_id, fork.event.version, fork.event.id), fork)
        for note_id, number, ids in writes.blocks:
            self.ids.setdefault((note_id, number), ids)

    def _store(self, writes: Writes) -> set[str]:
        taken = {document["_id"] for document in writes.inserts if document["_id"] in self.documents}
        for document in writes.inserts:
            self.documents.setdefault(document["_id"], deepcopy(document))
        for document in writes.replaces:
            present = self.documents.get(document["_id"])
            if present is not None and present["version"] < document["version"]:
                self.documents[document["_id"]] = deepcopy(document)
        for mark in writes.marks:
            present = self.documents.get(mark.note_id)
            if present is not None and present["version"] == mark.version:
                present["parked"] = mark.parked
        return taken

    async def healable(self, after: str, limit: int) -> tuple[list[str], str]:
        notes = sorted({note_id for note_id, _ in self.waiting_events if note_id > after})[:limit]
        levels = {note_id: self.documents.get(note_id, {}) for note_id in notes}
        ready = [one for one in notes if self._versions(one)[0] <= levels[one].get("version", 0) + 1]
        places = {one: its for one in ready if (its := self._pending(one, set()).forks)}
        stopped = stops_of(places, {one: level.get("snapshot", 0) for one, level in levels.items()})
        unmarked = {one for one, level in levels.items() if level and not level["parked"]}
        return sorted({one for one in ready if one not in stopped} | unmarked), notes[-1] if len(notes) == limit else ""

    async def count_parked(self) -> tuple[int, int]:
        return len(self.waiting_events), len(self.forks)

    async def disregarded(self, events: Collection[RecordedEvent]) -> set[ForkKey]:
        return {(one.note_id, one.version, one.id) for one in events} & self.disregarded_forks
