"""Documents of a folded shape, and the events that wait."""

from collections.abc import Collection
from copy import deepcopy
from typing import Any

from notes_query.application.fold_batch import Writes
from notes_query.application.ports import Parked
from notes_query.projections.recorded_event import RecordedEvent
from notes_query.projections.shape import Folded


class MemoryFolds:
    """FoldStore."""

    def __init__(self) -> None:
        self.documents: dict[str, Any] = {}
        self.waiting: dict[tuple[str, int], RecordedEvent] = {}
        self.forks: dict[tuple[str, int, str], RecordedEvent] = {}

    async def load(
        self, note_ids: Collection[str], unseen: Collection[str] = ()
    ) -> tuple[dict[str, Folded], list[Parked]]:
        """See FoldStore."""
        looked_for = set(note_ids).difference(unseen)
        documents = {id_: deepcopy(self.documents[id_]) for id_ in looked_for if id_ in self.documents}
        waiting = [
            Parked(note_id, version, event.record)
            for (note_id, version), event in self.waiting.items()
            if note_id in note_ids
        ]
        return documents, waiting

    async def write(self, writes: Writes) -> set[str]:
        """See FoldStore."""
        for event in writes.parks:
            self.waiting.setdefault((event.note_id, event.version), event)
        for event in writes.forks:
            self.forks.setdefault((event.note_id, event.version, event.id), event)
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
        for note_id, version in writes.unparks:
            if note_id not in taken:
                self.waiting.pop((note_id, version), None)
        return taken

    async def waiting_notes(self, limit: int) -> list[str]:
        """See FoldStore."""
        return list(dict.fromkeys(note_id for note_id, _ in self.waiting))[:limit]

    async def count_parked(self) -> tuple[int, int]:
        """See FoldStore."""
        return len(self.waiting), len(self.forks)
