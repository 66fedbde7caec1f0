"""How often a batch gives the event loop something to do, counted: a task or a thread more would be seen here."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from query_support.fixtures import Samples
from query_support.memory_dead_letters import MemoryDeadLetters

from notes_chassis import process
from notes_query.mongo.database import Database
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projecting.recent_documents import MANY
from notes_query.projections.note import evolve

TURNS = 4


def clock() -> datetime:
    return datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("size", [1, 10, 500])
async def test_a_batch_takes_few_turns_of_the_event_loop_however_many_records_it_has(
    size: int, database: Database, samples: Samples, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each is a switch between tasks: what tasks, futures and threads have the loop do."""
    monkeypatch.setattr(process, "TURN_S", 60.0)  # how often long work lets others go first is the machine's matter
    dead_letters = MemoryDeadLetters()
    fold = FoldReadModel("notes", evolve, FoldStore(database, "notes_v2_1"), dead_letters, clock)
    project = ProjectEvents([fold], dead_letters, clock)
    notes = [samples.id(f"{number}") for number in range(size)]
    await project([samples.record(samples.created(note)) for note in notes])
    loop, asked = asyncio.get_running_loop(), Counter[str]()

    def counting(name: str, ask: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            asked[name] += 1
            return ask(*arguments, **named)

        return counted

    for name in ("call_soon", "call_soon_threadsafe"):
        monkeypatch.setattr(loop, name, counting(name, getattr(loop, name)))
    await project([samples.record(samples.updated(note)) for note in notes])
    monkeypatch.undo()
    read = size >= MANY  # many that were written last are not known, but read in one query, which crosses twice
    assert asked["call_soon_threadsafe"] == 1 + 2 * read, "one thread comes back"
    assert asked["call_soon"] <= TURNS * (1 + 2 * read)
