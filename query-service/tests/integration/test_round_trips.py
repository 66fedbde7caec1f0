"""What a batch costs MongoDB, counted: one more question for each event would be seen here, on any machine."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from pymongo import monitoring
from query_support.memory_dead_letters import MemoryDeadLetters

from notes_query.mongo.database import Database
from notes_query.projecting.enter_read_model import EnterReadModel, EntryStore
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projecting.record_outcomes import OutcomeStore, RecordOutcomes
from notes_query.projecting.waiters import Waiters
from notes_query.projections.history import entry
from notes_query.projections.note import READ_MODEL, evolve
from notes_query.rebuilding import stored_documents
from notes_query.repairing.missing_versions import MongoAwaitedVersions

SIZES = (1, 900)


@dataclass
class Commands(monitoring.CommandListener):
    """What was sent to MongoDB, by command and collection."""

    sent: Counter[tuple[str, str]] = field(default_factory=Counter)

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        self.sent[event.command_name, str(event.command.get(event.command_name))] += 1

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        pass

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        pass


@pytest.fixture(scope="module")
def listening() -> Iterator[Commands]:
    # A listener belongs to every client made after it; it is taken away again for those of other tests.
    commands = Commands()
    monitoring.register(commands)
    yield commands
    monitoring._LISTENERS.command_listeners.remove(commands)


@pytest.fixture
def sent(listening: Commands, database: Database) -> Counter[tuple[str, str]]:
    assert database, "its client is made after the listener"
    listening.sent.clear()
    return listening.sent


def clock() -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("size", SIZES)
async def test_a_batch_of_events_is_two_or_three_commands_for_a_folded_read_model(
    size: int, sent: Counter[tuple[str, str]], database: Database, samples: Any
) -> None:
    """The documents, unless they are likely to be new; what waits for a gap; and the write."""
    letters, store = MemoryDeadLetters(), FoldStore(database, "notes_v1_1")
    fold = FoldReadModel("notes", evolve, store, letters, clock)
    project = ProjectEvents([fold], letters, clock)
    notes = [samples.id(f"{number}") for number in range(size)]

    await project([samples.record(samples.created(note)) for note in notes])
    assert sent == {("aggregate", "notes_v1_1_parked"): 1, ("insert", "notes_v1_1"): 1}
    sent.clear()
    await project([samples.record(samples.updated(note)) for note in notes])
    assert sent == {("find", "notes_v1_1"): 1, ("aggregate", "notes_v1_1_parked"): 1, ("update", "notes_v1_1"): 1}


@pytest.mark.parametrize("size", SIZES)
async def test_a_batch_of_events_is_three_commands_for_a_read_model_of_entries(
    size: int, sent: Counter[tuple[str, str]], database: Database, samples: Any
) -> None:
    letters, store = MemoryDeadLetters(), EntryStore(database, "history_v1_1")
    project = ProjectEvents([EnterReadModel("history", entry, store)], letters, clock)
    await project([samples.record(samples.created(samples.id(f"{number}"))) for number in range(size)])
    assert sent == {("find", "history_v1_1"): 1, ("find", "history_v1_1_parked"): 1, ("insert", "history_v1_1"): 1}


@pytest.mark.parametrize("size", SIZES)
async def test_a_batch_of_outcomes_is_two_commands(
    size: int, sent: Counter[tuple[str, str]], database: Database, samples: Any
) -> None:
    """The outcomes, and what they announce in one document."""
    outcomes, awaited = OutcomeStore(database), MongoAwaitedVersions(database)
    record = RecordOutcomes(outcomes, MemoryDeadLetters(), Waiters(), clock, awaited)
    await record([samples.record(samples.outcome(f"{number}"), offset=number) for number in range(size)])
    assert sent == {("insert", "outcomes"): 1, ("insert", "awaited_versions"): 1}


async def test_a_comparison_reads_each_chunk_of_both_once(
    sent: Counter[tuple[str, str]], database: Database, samples: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stored_documents, "CHUNK", 10)
    documents = [samples.document(samples.created(samples.id(f"{number}"))) for number in range(36)]
    await FoldStore(database, "notes_v1_1").write(Writes(inserts=documents[:35]))
    await FoldStore(database, "notes_v1_2").write(Writes(inserts=documents))
    sent.clear()
    assert await stored_documents.Comparison(database).behind(READ_MODEL, "notes_v1_1", "notes_v1_2") == []
    assert sent == {("find", "notes_v1_1"): 4, ("find", "notes_v1_2"): 4}
