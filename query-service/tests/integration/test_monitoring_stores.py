"""Awaited and missing versions, progress, requests for snapshots: the twins and MongoDB do the same."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from query_support.fixed_serving import FixedServing
from query_support.fixtures import Database, Samples, Side
from query_support.memory_awaited_versions import (
    MemoryAwaitedVersions,
    MemoryMissingVersions,
    MemoryNoteLevels,
)
from query_support.memory_progress import MemoryProgress
from query_support.memory_republish_requests import MemoryRequests

from notes_chassis.kafka.lag import Progress
from notes_query.monitoring.lag import ProgressStore
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.projecting.fold_store import FoldStore
from notes_query.projections import note
from notes_query.repairing.ask_republish import RepublishRequests
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.repairing.missing_versions import (
    NOTES,
    AwaitVersions,
    Level,
    MissingVersion,
    MissingVersions,
    MongoAwaitedVersions,
    NoteLevels,
)

MINUTE = timedelta(minutes=1)


@dataclass
class Stores:
    """One of each port."""

    awaited: Any
    missing: Any
    progress: Any
    requests: Any
    levels: Any
    notes: Any


@pytest.fixture(params=["memory", "mongo"])
def stores(request: pytest.FixtureRequest, database: Database, side: Side) -> Stores:
    if request.param == "memory":
        missing = MemoryMissingVersions()
        levels = MemoryNoteLevels(lambda: side.notes.documents, missing)
        return Stores(MemoryAwaitedVersions(), missing, MemoryProgress(), MemoryRequests(), levels, side.notes)
    return Stores(
        MongoAwaitedVersions(database),
        MissingVersions(database),
        ProgressStore(database),
        RepublishRequests(database),
        NoteLevels(database, FixedServing({"notes": "notes_v2_1"})),
        FoldStore(database, "notes_v2_1"),
    )


async def test_what_is_due_is_taken_by_one_and_a_batch_is_kept_once(samples: Samples, stores: Stores):
    now = samples.start
    await stores.awaited.expect("one", {samples.note: 2}, now)
    await stores.awaited.expect("one", {samples.note: 9}, now)
    await stores.awaited.expect("two", {samples.note: 3, samples.other: 1}, now)
    await stores.awaited.expect("later", {samples.note: 4}, now + MINUTE)

    claims = await asyncio.gather(*(stores.awaited.claim(now, now + MINUTE) for _ in range(5)))

    taken = [versions for _, versions in claims if versions]
    assert {(note, at) for versions in taken for note, at in versions.items()} <= {
        (samples.note, 2),
        (samples.note, 3),
        (samples.other, 1),
    }
    merged: dict[str, int] = {}
    for versions in taken:
        merged |= {note: max(at, merged.get(note, 0)) for note, at in versions.items()}
    assert merged == {samples.note: 3, samples.other: 1}
    for claim, _ in claims:
        await stores.awaited.done(claim)
    assert (await stores.awaited.claim(now + MINUTE, now + 2 * MINUTE))[1] == {samples.note: 4}


async def test_what_was_taken_and_not_done_is_taken_again_after_its_time(samples: Samples, stores: Stores):
    now = samples.start
    await stores.awaited.expect("one", {samples.note: 2}, now)
    await stores.awaited.claim(now, now + MINUTE)

    assert (await stores.awaited.claim(now + MINUTE / 2, now + 2 * MINUTE))[1] == {}
    assert (await stores.awaited.claim(now + MINUTE, now + 2 * MINUTE))[1] == {samples.note: 2}


async def test_not_more_is_taken_at_once_than_one_query_may_name(samples: Samples, database: Database):
    awaited = MongoAwaitedVersions(database)
    for batch in range(4):
        notes = {samples.id(f"{batch} {number}"): number + 1 for number in range(NOTES // 2)}
        await awaited.expect(str(batch), notes, samples.start)

    claim, versions = await awaited.claim(samples.start, samples.start + MINUTE)
    assert len(versions) == NOTES
    await awaited.done(claim)
    assert len((await awaited.claim(samples.start, samples.start + MINUTE))[1]) == NOTES


async def test_missing_versions_only_grow_and_go_when_they_are_reached(samples: Samples, stores: Stores):
    await stores.missing.add({samples.note: 5}, samples.start)
    await stores.missing.add({samples.note: 4, samples.other: 1}, samples.start + MINUTE)

    assert await stores.missing.oldest(5) == [
        MissingVersion(samples.note, 5, samples.start),
        MissingVersion(samples.other, 1, samples.start + MINUTE),
    ]
    assert [one.note_id for one in await stores.missing.oldest(1)] == [samples.note]
    await stores.missing.found({samples.note: 4, samples.other: 1})
    assert [one.note_id for one in await stores.missing.oldest(5)] == [samples.note]
    assert await stores.missing.count() == 1


async def test_twenty_that_miss_the_same_note_leave_the_highest_version(samples: Samples, stores: Stores):
    await asyncio.gather(*(stores.missing.add({samples.note: at}, samples.start) for at in range(1, 21)))

    assert [one.version for one in await stores.missing.oldest(5)] == [20]


async def test_levels_are_those_of_the_documents_and_a_mark_needs_the_version(samples: Samples, stores: Stores):
    await stores.notes.write(Writes(inserts=[samples.document(samples.created())]))

    assert await stores.levels.of([samples.note, samples.other]) == {samples.note: Level(1, parked=False)}
    await stores.missing.add({samples.note: 2, samples.other: 1}, samples.start)
    await stores.levels.park({samples.note: 2, samples.other: 1})
    assert await stores.levels.of([samples.note]) == {samples.note: Level(1, parked=False)}
    await stores.levels.park({samples.note: 1})
    assert await stores.levels.of([samples.note]) == {samples.note: Level(1, parked=True)}


class DroppedMeanwhile:
    """Levels of notes of which somebody drops what is missing, right before a mark is set."""

    def __init__(self, stores: Stores) -> None:
        self.stores = stores

    async def of(self, note_ids: Any) -> Any:
        return await self.stores.levels.of(note_ids)

    async def park(self, versions: Any) -> None:
        await self.stores.missing.forget(versions)
        await self.stores.levels.park(versions)


@pytest.mark.parametrize("known", [True, False])
async def test_a_version_that_is_dropped_while_it_is_looked_at_leaves_no_mark(
    samples: Samples, stores: Stores, *, known: bool
):
    """It is known to be missing, or is only just found to be."""
    await stores.notes.write(Writes(inserts=[samples.document(samples.created())]))
    if known:
        await stores.missing.add({samples.note: 2}, samples.start)
    else:
        await stores.awaited.expect("one", {samples.note: 2}, samples.start)
    levels: Any = DroppedMeanwhile(stores)
    look = AwaitVersions(stores.awaited, stores.missing, levels, lambda: samples.start, lambda: samples.start)

    await look()

    assert await stores.missing.count() == 0
    assert await stores.levels.of([samples.note]) == {samples.note: Level(1, parked=False)}


async def test_whoever_drops_a_version_first_or_last_no_mark_is_left(samples: Samples, database: Database):
    missing, levels = MissingVersions(database), NoteLevels(database, FixedServing({"notes": "notes_v2_1"}))
    store = FoldStore(database, "notes_v2_1")
    fold = FoldReadModel("notes", note.evolve, store, DeadLetters(database), lambda: samples.start)
    notes = [samples.id(str(number)) for number in range(40)]
    await store.write(Writes(inserts=[samples.document(samples.created(id_)) for id_ in notes]))
    await missing.add(dict.fromkeys(notes, 2), samples.start)

    async def drop(id_: str) -> None:
        await missing.forget([id_])
        await fold.heal([id_])

    for id_ in notes:
        await asyncio.gather(levels.park({id_: 1}), drop(id_))

    assert [id_ for id_, level in (await levels.of(notes)).items() if level.parked] == []


async def test_progress_is_the_last_that_was_told_of_each_partition(samples: Samples, stores: Stores):
    first = Progress("group", 0, 1, 2, samples.start, samples.start)
    second = first._replace(partition=1)
    await stores.progress.save([first, second, first._replace(group="other")])
    await stores.progress.save([moved := first._replace(position=2, at=samples.start + MINUTE)])
    await stores.progress.save([])

    assert sorted(await stores.progress.of("group")) == [moved, second]


async def test_a_note_is_asked_for_by_one_and_again_when_its_time_has_come(samples: Samples, stores: Stores):
    now = samples.start
    claims = await asyncio.gather(*(stores.requests.claim(samples.note, now) for _ in range(10)))
    assert sorted(claim for claim in claims if claim is not None) == [0]

    await stores.requests.again(samples.note, now + MINUTE, 1)
    assert await stores.requests.asked_lately([samples.note, samples.other], now) == {samples.note}
    assert await stores.requests.claim(samples.note, now) is None
    assert await stores.requests.claim(samples.note, now + MINUTE) == 1
