"""A read model with one document for each event: repeats change nothing, a fork stops its note."""

import time
from typing import Any

import pytest
from query_support.fixtures import Samples
from query_support.memory_history import MemoryHistory

from notes_contracts import snapshot_id
from notes_query.errors import StoreUnavailable
from notes_query.projecting.enter_batch import enter_batch
from notes_query.projecting.enter_read_model import EnterReadModel
from notes_query.projecting.pending import EntriesKnown, Fork
from notes_query.projecting.project_events import decode_event
from notes_query.projecting.read_model_store import places
from notes_query.projections.history import entry
from notes_query.projections.read_model import entry_id


@pytest.fixture
def store() -> MemoryHistory:
    return MemoryHistory()


@pytest.fixture
def enter(store: MemoryHistory) -> EnterReadModel:
    return EnterReadModel("history", entry, store)


def versions(samples: Samples, *wanted: int) -> list[Any]:
    return [samples.event(samples.updated(version=version)) for version in wanted]


def another(samples: Samples, version: int) -> Any:
    return samples.event(samples.updated(version=version), name=f"another {version}")


def entered(store: MemoryHistory, *versions: int) -> bool:
    return sorted(item["version"] for item in store.documents.values()) == list(versions)


async def test_repeats_change_nothing_and_gaps_are_no_matter(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel
):
    await enter(versions(samples, 2, 5, 3))

    counts = await enter(versions(samples, 5, 2, 4, 4))

    assert (counts.applied, counts.ignored, counts.forked) == (1, 3, 0)
    assert entered(store, 2, 3, 4, 5)


@pytest.mark.parametrize("count", [1, 2], ids=["taken to be new", "looked for"])
async def test_what_was_stored_is_told_though_the_answer_to_the_write_was_lost(
    samples: Samples, store: MemoryHistory, count: int
):
    told: list[str] = []
    enter = EnterReadModel("history", entry, store, lambda entries: told.extend(one["_id"] for one in entries))
    events = versions(samples, *range(2, 2 + count))
    write = store.write

    async def answer_lost(*entries: Any) -> set[str]:
        await write(*entries)
        raise StoreUnavailable("no answer")

    store.write = answer_lost  # type: ignore[method-assign]
    with pytest.raises(StoreUnavailable):
        await enter(events)
    assert told == []

    store.write = write  # type: ignore[method-assign]
    await enter(events)
    assert told == [entry_id(event) for event in events]


@pytest.mark.parametrize("same", [True, False], ids=["the same", "other events"])
@pytest.mark.parametrize("count", [1, 2], ids=["taken to be new", "looked for"])
async def test_what_another_instance_stores_at_that_moment_is_told_and_compared(
    samples: Samples, store: MemoryHistory, count: int, *, same: bool
):
    told: list[str] = []
    enter = EnterReadModel("history", entry, store, lambda entries: told.extend(one["_id"] for one in entries))
    events = versions(samples, *range(2, 2 + count))
    theirs = events if same else [another(samples, event.version) for event in events]
    write = store.write

    async def overtaken(*entries: Any) -> set[str]:
        store.write = write  # type: ignore[method-assign]
        await write([entry(event) for event in theirs], [])
        return await write(*entries)

    store.write = overtaken  # type: ignore[method-assign]

    counts = await enter([*events, events[-1]] if count > 1 else events)

    assert told == [entry_id(event) for event in events]
    repeats = count - 1
    assert (counts.applied, counts.ignored, counts.forked) == ((0, count + repeats, 0) if same else (0, repeats, count))
    assert len(store.forks) == counts.forked


@pytest.mark.parametrize("batches", [1, 4])
async def test_a_fork_stops_its_note_until_a_snapshot_above_all_that_is_there(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel, batches: int
):
    await enter(versions(samples, 1, 2, 3, 4, 5))
    before = samples.event(samples.snapshotted(version=5))
    later = [another(samples, 4), another(samples, 6), before, another(samples, 7)]
    for start in range(0, len(later), len(later) // batches):
        await enter(later[start : start + len(later) // batches])

    assert entered(store, 1, 2, 3, 4, 5)
    assert await store.count_parked() == (0, 1)

    await enter([samples.event(samples.snapshotted(version=7)), another(samples, 8)])
    await enter([another(samples, 4), *versions(samples, 4)])
    await enter([another(samples, 9)])

    assert entered(store, 1, 2, 3, 4, 5, 7, 8, 9)
    assert await store.count_parked() == (0, 1)


@pytest.mark.parametrize("at_once", [True, False])
async def test_behind_a_gap_a_snapshot_of_a_version_that_is_entered_heals_as_it_does_the_note(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel, at_once: bool
):
    """The note's document is at 5 when the fork comes: a snapshot of 8 heals it, and nobody asks for another one."""
    fork, healing = another(samples, 5), samples.event(samples.snapshotted(version=8))
    late = [another(samples, 6), fork, healing, *versions(samples, 9, 10)]
    await enter(versions(samples, 2, 3, 4, 5, 7, 8, 1))
    for batch in [late[1:]] if at_once else [[fork], [late[0]], [healing], late[3:4], late[4:]]:
        await enter(batch)

    assert entered(store, 1, 2, 3, 4, 5, 7, 8, 9, 10)
    assert [fork.found_at for fork in store.forks.values()] == [5]
    # The same once more, as after a crash.
    await enter([fork, healing, *versions(samples, 11)])
    assert entered(store, 1, 2, 3, 4, 5, 7, 8, 9, 10, 11)


@pytest.mark.parametrize("at_once", [True, False])
async def test_forks_of_a_stopped_note_are_noticed_whatever_comes_with_them(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel, at_once: bool
):
    """Each raises the version of the snapshot that heals; a lone event of its note is else not looked for."""
    await enter(versions(samples, 1, 3, 4))
    await enter(versions(samples, 6))
    forks = [another(samples, 3), another(samples, 6)]
    for batch in [forks] if at_once else [[one] for one in forks]:
        await enter(batch)
        enter._expects_new = True

    await enter([samples.event(samples.snapshotted(version=5)), another(samples, 7)])

    assert await store.count_parked() == (0, 2)
    assert entered(store, 1, 3, 4, 6)


async def test_a_snapshot_from_before_the_fork_heals_nothing_though_its_version_was_entered(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel
):
    """As with the note's document, which that snapshot brought to 8."""
    before = samples.event(samples.snapshotted(version=8))
    await enter(versions(samples, 1, 2, 3, 4, 5, 7, 8))
    await enter([before])
    await enter([another(samples, 5)])
    await enter([before])
    await enter([another(samples, 9)])

    assert [fork.found_at for fork in store.forks.values()] == [8]
    assert entered(store, 1, 2, 3, 4, 5, 7, 8)
    await enter([samples.event(samples.snapshotted(version=9)), another(samples, 10)])
    assert entered(store, 1, 2, 3, 4, 5, 7, 8, 9, 10)


async def test_a_place_that_an_earlier_release_has_kept_is_healed_by_a_snapshot_above_it(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel
):
    """It kept the highest version that was entered, also behind a gap."""
    fork = another(samples, 5)
    await enter(versions(samples, 1, 2, 3, 4, 5, 7, 8))
    store.forks[samples.note, 5, fork.id] = Fork(fork, 8)

    await enter([samples.event(samples.snapshotted(version=8)), *versions(samples, 9)])
    assert entered(store, 1, 2, 3, 4, 5, 7, 8)
    await enter([samples.event(samples.snapshotted(version=9)), *versions(samples, 10)])
    assert entered(store, 1, 2, 3, 4, 5, 7, 8, 9, 10)


async def test_other_notes_and_forks_that_were_dropped_are_not_stopped(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel
):
    await enter(versions(samples, 2))
    store.disregarded_forks.add((samples.note, 2, another(samples, 2).id))

    counts = await enter([another(samples, 2), *versions(samples, 3), samples.event(samples.created(samples.other))])

    assert (counts.applied, counts.forked, counts.ignored) == (2, 0, 1)


async def test_what_stands_in_for_an_event_is_no_fork_and_has_none(
    samples: Samples, store: MemoryHistory, enter: EnterReadModel
):
    named = {"ce_id": snapshot_id(samples.note, 2), "ce_type": "notes.event.note-snapshotted.v9"}
    newer = decode_event(samples.unknown(2, **named))
    await enter(versions(samples, 2))
    assert (await enter([newer, samples.event(samples.snapshotted(version=2))])).ignored == 2
    await enter([samples.event(samples.snapshotted(version=3))])

    assert (await enter(versions(samples, 3))).ignored == 1
    assert await store.count_parked() == (0, 0)


def test_looking_at_forks_costs_the_same_however_many_are_kept_of_other_notes(samples: Samples):
    others = {(samples.id(str(number)), version, samples.note) for number in range(50) for version in range(1_000)}
    known = EntriesKnown({entry_id(event): "the first" for event in versions(samples, 2)}, others)
    events = [samples.event(samples.updated(), name=str(number)) for number in range(500)]

    before = time.process_time()
    found = enter_batch(events, known, {}, entry)

    assert found.counts.forked == 500
    assert time.process_time() - before < 0.25  # 0.02 s; 8 s where each fork was counted against all


def test_a_fork_that_was_found_before_the_first_version_came_keeps_its_place():
    assert places([{"version": 5, "event_id": "x", "at": 0}]) == {(5, "x"): 0}
    assert places([{"version": 5, "event_id": "x", "at": None}, {"version": 6, "event_id": "y"}]) == {
        (5, "x"): 5,
        (6, "y"): 6,
    }
