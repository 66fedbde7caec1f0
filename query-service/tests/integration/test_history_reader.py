"""The twin and MongoDB do the same."""

from typing import Any

import pytest
from query_support.fixed_serving import FixedServing
from query_support.fixtures import Database, Samples
from query_support.memory_history import MemoryHistory

from notes_query.projecting.enter_read_model import EntryStore
from notes_query.projecting.waiters import Waiters
from notes_query.projections.history import entry
from notes_query.reads.get_note import GetNote
from notes_query.reads.read_history import ReadHistory
from notes_query.reads.served import NoteReader


@pytest.fixture(params=["memory", "mongo"])
def history(request: pytest.FixtureRequest, database: Database) -> tuple[Any, Any]:
    if request.param == "memory":
        both = MemoryHistory()
        return both, both
    serving = FixedServing({"notes": "notes_v2_1", "history": "history_v1_1"})
    get_note = GetNote(NoteReader(database, serving), Waiters(), None)
    return EntryStore(database, "history_v1_1"), ReadHistory(get_note, database, serving)


async def test_entries_are_paged_by_version_and_the_first_of_each_stays(samples: Samples, history: tuple[Any, Any]):
    store, reader = history
    entries = [entry(samples.event(samples.updated(version=version))) for version in (12, 2, 9, 1, 10)]
    assert await store.add([*entries[:3], entry(samples.event(samples.updated(samples.other, version=3)))]) == 0
    # The second time what is there is looked for, the third time all is.
    for there in (3, 5, 5):
        assert await store.add([{**entry, "command_id": "another"} for entry in entries]) == there

    async def page(after: int, up_to: int, limit: int) -> list[Any]:
        return list(await reader.entries(samples.note, after, up_to, limit))

    found = await page(0, 99, 3)
    assert [(item["version"], item["command_id"]) for item in found] == [
        (1, "another"),
        (2, samples.id("cause")),
        (9, samples.id("cause")),
    ]
    assert [item["version"] for item in await page(9, 12, 3)] == [10, 12]
    assert [item["version"] for item in await page(1, 10, 9)] == [2, 9, 10]
    assert await page(2**63 - 1, 12, 3) == []
    assert await page(1, 2, 1) == [
        {
            "version": 2,
            "type": "notes.event.note-updated.v1",
            "occurred_at": samples.at(2),
            "command_id": samples.id("cause"),
        }
    ]
