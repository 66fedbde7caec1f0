"""The in-memory twin of MongoDB, for tests and for trying things out. It passes the same tests."""

from collections.abc import Collection, Sequence
from copy import deepcopy
from datetime import datetime, timedelta

from notes_query.application.cursor import Position
from notes_query.application.fold_batch import Writes
from notes_query.application.ports import DeadLetter, Parked, View
from notes_query.projections.note import NoteDocument
from notes_query.projections.outcome import OutcomeDocument
from notes_query.projections.recorded_event import RecordedEvent

_SUMMARY = ("_id", "title", "tags", "status", "version", "created_at", "updated_at")


class MemoryNotes:
    """NoteStore and NoteReader."""

    def __init__(self) -> None:
        self.documents: dict[str, NoteDocument] = {}
        self.waiting: dict[tuple[str, int], RecordedEvent] = {}
        self.forks: dict[tuple[str, int, str], RecordedEvent] = {}

    async def load(self, note_ids: Collection[str]) -> tuple[dict[str, NoteDocument], list[Parked]]:
        """See NoteStore."""
        documents = {id_: deepcopy(self.documents[id_]) for id_ in note_ids if id_ in self.documents}
        waiting = [
            Parked(note_id, version, event.record)
            for (note_id, version), event in self.waiting.items()
            if note_id in note_ids
        ]
        return documents, waiting

    async def write(self, writes: Writes) -> None:
        """See NoteStore."""
        for event in writes.parks:
            self.waiting.setdefault((event.note_id, event.version), event)
        for event in writes.forks:
            self.forks.setdefault((event.note_id, event.version, event.id), event)
        for document in writes.inserts:
            self.documents.setdefault(document["_id"], deepcopy(document))
        for document in (*writes.inserts, *writes.replaces):
            present = self.documents.get(document["_id"])
            if present is not None and present["version"] < document["version"]:
                self.documents[document["_id"]] = deepcopy(document)
        for mark in writes.marks:
            present = self.documents.get(mark.note_id)
            if present is not None and present["version"] == mark.version:
                present["parked"] = mark.parked
        for key in writes.unparks:
            self.waiting.pop(key, None)

    async def waiting_notes(self, limit: int) -> list[str]:
        """See NoteStore."""
        return list(dict.fromkeys(note_id for note_id, _ in self.waiting))[:limit]

    async def count_parked(self) -> tuple[int, int]:
        """See NoteStore."""
        return len(self.waiting), len(self.forks)

    async def view(self, note_id: str) -> View | None:
        """See NoteReader."""
        found = self.documents.get(note_id)
        if found is None:
            return None
        return {name: value for name, value in deepcopy(found).items() if name not in ("body", "event_id")}

    async def page(self, statuses: Sequence[str], after: Position | None, limit: int) -> list[View]:
        """See NoteReader."""
        found = [
            (note["created_at"], id_)
            for id_, note in self.documents.items()
            if note["status"] in statuses and note["created_at"] is not None
        ]
        newest_first = sorted((key for key in found if after is None or key < tuple(after)), reverse=True)
        notes = [deepcopy(self.documents[id_]) for _, id_ in newest_first[:limit]]
        return [{name: value for name, value in note.items() if name in _SUMMARY} for note in notes]

    async def has_waiting(self, note_id: str) -> bool:
        """See NoteReader."""
        return any(waiting == note_id for waiting, _ in self.waiting)


class MemoryOutcomes:
    """OutcomeStore."""

    def __init__(self) -> None:
        self.documents: dict[str, OutcomeDocument] = {}

    async def add(self, outcomes: Sequence[OutcomeDocument]) -> None:
        """See OutcomeStore."""
        for outcome in outcomes:
            self.documents.setdefault(outcome["_id"], deepcopy(outcome))

    async def get(self, command_id: str) -> OutcomeDocument | None:
        """See OutcomeStore."""
        return deepcopy(self.documents.get(command_id))


class MemoryDeadLetters:
    """DeadLetterStore."""

    def __init__(self) -> None:
        self.letters: dict[str, DeadLetter] = {}
        self.claimed_until: dict[str, datetime] = {}
        self.sent_at: dict[str, datetime] = {}

    async def add(self, letters: Sequence[DeadLetter]) -> None:
        """See DeadLetterStore."""
        for letter in letters:
            self.letters.setdefault(letter.id, letter)

    async def claim(self, now: datetime) -> DeadLetter | None:
        """See DeadLetterStore."""
        for id_, letter in self.letters.items():
            if id_ not in self.sent_at and self.claimed_until.get(id_, letter.at) <= now:
                self.claimed_until[id_] = now + timedelta(minutes=1)
                return letter
        return None

    async def sent(self, letter: DeadLetter, now: datetime) -> None:
        """See DeadLetterStore."""
        self.sent_at.setdefault(letter.id, now)
