"""A long history is read page by page: no query of it takes longer than a page, and memory holds no more."""

from random import Random
from typing import Any

import pytest

from notes_query.mongo import driver
from notes_query.mongo.database import Database
from notes_query.projecting.enter_read_model import EnterReadModel, EntryStore
from notes_query.projecting.pending import Fork, Reached
from notes_query.projecting.read_model_store import snapshots_in
from notes_query.projections.history import entry

HISTORY = "history_v1_1"
PAGE = 20


@pytest.fixture(autouse=True)
def page(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(driver, "PAGE", PAGE, raising=False)


def updates(samples: Any, note: str, *versions: int) -> list[Any]:
    return [samples.event(samples.updated(note, version=version)) for version in versions]


async def insert(database: Database, events: list[Any]) -> None:
    await database[HISTORY].insert_many([entry(event) for event in events])


async def test_no_query_of_a_snapshot_or_a_fork_reads_more_than_a_page(database: Database, samples: Any):
    note, last = samples.note, 10 * PAGE
    await insert(database, updates(samples, note, *range(1, 50), *range(51, last + 1)))
    enter = EnterReadModel("history", entry, EntryStore(database, HISTORY))
    await database[HISTORY].database.command("profile", 2)

    await enter([samples.event(samples.snapshotted(version=last))])
    await enter([samples.event(samples.updated(version=5), name="another")])
    assert (await enter(updates(samples, note, last + 1))).ignored == 1

    await database[HISTORY].database.command("profile", 0)
    profiled = await database["system.profile"].find({"ns": {"$regex": HISTORY}}).to_list(None)
    read = [item["keysExamined"] for item in profiled if "keysExamined" in item]
    assert sum(read) > last
    assert max(read) <= PAGE + 1


async def test_the_next_event_of_a_forked_note_reads_none_of_the_history_before_the_fork(
    database: Database, samples: Any
):
    note, last = samples.note, 10 * PAGE
    await insert(database, updates(samples, note, *range(1, last + 1)))
    enter = EnterReadModel("history", entry, EntryStore(database, HISTORY))
    await enter([samples.event(samples.updated(version=last), name="another")])
    await database[HISTORY].database.command("profile", 2)

    assert (await enter(updates(samples, note, last + 1))).ignored == 1

    await database[HISTORY].database.command("profile", 0)
    profiled = await database["system.profile"].find({"ns": {"$regex": HISTORY}}).to_list(None)
    assert sum(item.get("keysExamined", 0) for item in profiled) < PAGE


@pytest.mark.parametrize("seed", range(4))
async def test_pages_of_several_notes_come_to_what_all_entries_come_to(database: Database, samples: Any, seed: int):
    random, store = Random(seed), EntryStore(database, HISTORY)
    expected: dict[str, int] = {}
    highest: dict[str, int] = {}
    for note in (samples.id(f"{number}") for number in range(5)):
        versions = set(random.sample(range(1, 60), 50)) | set(range(1, random.choice([1, 20, 21, 40])))
        snapshots = set(random.sample(sorted(versions), 2)) if random.random() < 0.7 else set()
        events = updates(samples, note, *(versions - snapshots))
        await insert(database, [*events, *(samples.event(samples.snapshotted(note, version=at)) for at in snapshots)])
        if random.random() < 0.5:
            met = max(versions - snapshots)
            await store.write([], [], [samples.event(samples.snapshotted(note, version=met))])
            snapshots.add(met)
        if snapshots:
            highest[note] = max(snapshots)
        expected[note] = max(snapshots, default=0)
        while expected[note] + 1 in versions:
            expected[note] += 1
        first_hole = next(at for at in range(1, 61) if at not in versions)
        expected[note] = max(expected[note], first_hole - 1)
    notes = [*expected, samples.other]

    reached = await store.reached(notes)

    assert {note: its.version for note, its in reached.items()} == expected | {samples.other: 0}
    assert await snapshots_in(database, HISTORY, notes) == highest
    above = {note: version for note, version in highest.items() if version >= 30}
    assert await snapshots_in(database, HISTORY, notes, 30) == above


async def test_a_full_last_page_ends_the_reading(database: Database, samples: Any):
    await insert(database, updates(samples, samples.note, *range(1, PAGE + 1)))

    assert await EntryStore(database, HISTORY).reached([samples.note]) == {samples.note: Reached(PAGE)}


async def test_a_snapshot_below_a_fork_s_version_does_not_heal(database: Database, samples: Any):
    """Only snapshots that can heal are looked for; of several forks the highest counts."""
    store = EntryStore(database, HISTORY)
    await insert(database, updates(samples, samples.note, *range(1, 6)))
    forks = [Fork(samples.event(samples.updated(version=at), name="another"), at) for at in (2, 4)]
    await store.write([entry(samples.event(samples.snapshotted(version=7)))], forks[:1])
    assert (await store.load(updates(samples, samples.note, 8))).heals_from == {}

    await store.write([], [Fork(samples.event(samples.updated(version=8), name="another"), 7)])

    assert (await store.load(updates(samples, samples.note, 8))).heals_from == {samples.note: 8}
