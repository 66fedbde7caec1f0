"""The read side in memory."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from query_support.memory_dead_letters import MemoryDeadLetters
from query_support.memory_notes import MemoryNotes
from query_support.memory_outcomes import MemoryOutcomes
from query_support.samples import START

from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projecting.stored_record import StoredRecord
from notes_query.projecting.waiters import Waiters, level_of
from notes_query.projections.note import evolve


@dataclass
class Side:
    """The read side in memory, without Kafka."""

    notes: MemoryNotes
    outcomes: MemoryOutcomes
    dead_letters: MemoryDeadLetters
    waiters: Waiters
    outcome_waiters: Waiters
    fold: FoldReadModel
    project: ProjectEvents

    async def given(self, records: Iterable[StoredRecord]) -> None:
        """Project records, as one batch."""
        await self.project(list(records))


def side_in_memory() -> Side:
    """Give one that is empty."""
    notes, dead_letters, waiters = MemoryNotes(), MemoryDeadLetters(), Waiters()

    def stored(documents: Any) -> None:
        for document in documents:
            waiters.wake(document["_id"], level_of(document))

    fold = FoldReadModel("notes", evolve, notes, dead_letters, lambda: START, stored=stored)
    return Side(
        notes,
        MemoryOutcomes(),
        dead_letters,
        waiters,
        Waiters(),
        fold,
        ProjectEvents([fold], dead_letters, lambda: START),
    )
