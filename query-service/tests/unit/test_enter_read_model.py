"""A read model with one document for each event: the first event of a version wins, whatever comes later."""

from typing import Any

import pytest
from query_support.answers_lost import answers_lost
from query_support.fixtures import Samples
from query_support.memory_history import MemoryHistory

from notes_contracts import snapshot_id
from notes_query.projecting.enter_read_model import EnterReadModel
from notes_query.projecting.project_events import decode_event
from notes_query.projections.history import entry
from notes_query.projections.read_model import entry_id


@pytest.fixture
def store() -> MemoryHistory:
    return MemoryHistory()


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def enter(store: MemoryHistory, told: list[str]) -> EnterReadModel:
    return EnterReadModel(entry, store, lambda entries: told.extend(one["_id"] for one in entries))


def versions(samples: Samples, *wanted: int) -> list[Any]:
    return [samples.event(samples.updated(version=version)) for version in wanted]


def another(samples: Samples, version: int) -> Any:
    return samples.event(samples.updated(version=version), name=f"another {version}")


def snapshot(samples: Samples, version: int) -> Any:
    return samples.event(samples.snapshotted(version=version))


def entered(store: MemoryHistory, *events: Any) -> bool:
    """Say whether the entries are those of these events."""
    return store.documents == {entry_id(event): entry(event) for event in events}


async def test_repeats_change_nothing_and_gaps_are_no_matter(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel
):
    await enter(versions(samples, 2, 5, 3))

    counts = await enter(versions(samples, 5, 2, 4, 4))

    assert (counts.applied, counts.ignored) == (1, 3)
    assert entered(store, *versions(samples, 2, 3, 4, 5))


@pytest.mark.parametrize("at_once", [True, False])
async def test_of_two_histories_the_first_event_of_each_version_stays_and_none_is_judged(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel, at_once: bool
):
    """The notes judge: while a fork stops one, readers get no entry above its version."""
    first = versions(samples, 1, 2, 3, 5)
    second = [another(samples, version) for version in (3, 4, 5, 6)]
    batches = [[*first, *second]] if at_once else [[event] for event in (*first, *second)]

    counts = [await enter(batch) for batch in batches]

    assert entered(store, *first, second[1], second[3])
    assert sum(one.applied for one in counts) == 6
    assert [sum(one.ignored for one in counts), sum(one.forked for one in counts)] == [2, 0]


async def test_a_snapshot_is_entered_only_where_its_version_has_no_entry(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel
):
    named = {"ce_id": snapshot_id(samples.note, 2), "ce_type": "notes.event.note-snapshotted.v9"}
    newer = decode_event(samples.unknown(2, **named))
    await enter(versions(samples, 2, 4))

    assert (await enter([newer, snapshot(samples, 2), snapshot(samples, 4)])).ignored == 3
    assert (await enter([snapshot(samples, 3), snapshot(samples, 7)])).applied == 2
    assert (await enter([*versions(samples, 3, 7), snapshot(samples, 7)])).ignored == 3
    assert entered(store, *versions(samples, 2, 4), snapshot(samples, 3), snapshot(samples, 7))


async def test_what_was_stored_is_told_though_the_answer_to_the_write_was_lost(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel, told: list[str]
):
    events = versions(samples, 2, 3)
    with answers_lost(store, "add"):
        await enter(events)
    assert told == []

    await enter(events)
    assert told == [entry_id(event) for event in events]
