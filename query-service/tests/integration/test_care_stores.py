"""Awaited and missing versions, progress, requests for snapshots: the twins and MongoDB do the same."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from query_support.fixed_serving import FixedServing
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
from notes_query.projecting.fold_store import FoldStore
from notes_query.repairing.ask_republish import RepublishRequests
from notes_query.repairing.missing_versions import (
    NOTES,
    Level,
    MissingVersion,
    MissingVersions,
    MongoAwaitedVersions,
    NoteLevels,
)

MINUTE = timedelta(minutes=1)


@dataclass
class Maintenance:
    """One of each port."""

    awaited: Any
    missing: Any
    progress: Any
    requests: Any
    levels: Any
    notes: Any


@pytest.fixture(params=["memory", "mongo"])
def care(request: pytest.FixtureRequest, database: Any, side: Any) -> Maintenance:
    if request.param == "memory":
        levels = MemoryNoteLevels(lambda: side.notes.documents)
        return Maintenance(
            MemoryAwaitedVersions(), MemoryMissingVersions(), MemoryProgress(), MemoryRequests(), levels, side.notes
        )
    return Maintenance(
        MongoAwaitedVersions(database),
        MissingVersions(database),
        ProgressStore(database),
        RepublishRequests(database),
        NoteLevels(database, FixedServing({"notes": "notes_v2_1"})),
        FoldStore(database, "notes_v2_1"),
    )


async def test_what_is_due_is_taken_by_one_and_a_batch_is_kept_once(samples: Any, care: Maintenance):
    now = samples.start
    await care.awaited.expect("one", {samples.note: 2}, now)
    await care.awaited.expect("one", {samples.note: 9}, now)
    await care.awaited.expect("two", {samples.note: 3, samples.other: 1}, now)
    await care.awaited.expect("later", {samples.note: 4}, now + MINUTE)

    claims = await asyncio.gather(*(care.awaited.claim(now, now + MINUTE) for _ in range(5)))

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
        await care.awaited.done(claim)
    assert (await care.awaited.claim(now + MINUTE, now + 2 * MINUTE))[1] == {samples.note: 4}


async def test_what_was_taken_and_not_done_is_taken_again_after_its_time(samples: Any, care: Maintenance):
    now = samples.start
    await care.awaited.expect("one", {samples.note: 2}, now)
    await care.awaited.claim(now, now + MINUTE)

    assert (await care.awaited.claim(now + MINUTE / 2, now + 2 * MINUTE))[1] == {}
    assert (await care.awaited.claim(now + MINUTE, now + 2 * MINUTE))[1] == {samples.note: 2}


async def test_not_more_is_taken_at_once_than_one_query_may_name(samples: Any, database: Any):
    awaited = MongoAwaitedVersions(database)
    for batch in range(4):
        notes = {samples.id(f"{batch} {number}"): number + 1 for number in range(NOTES // 2)}
        await awaited.expect(str(batch), notes, samples.start)

    claim, versions = await awaited.claim(samples.start, samples.start + MINUTE)
    assert len(versions) == NOTES
    await awaited.done(claim)
    assert len((await awaited.claim(samples.start, samples.start + MINUTE))[1]) == NOTES


async def test_missing_versions_only_grow_and_go_when_they_are_reached(samples: Any, care: Maintenance):
    await care.missing.add({samples.note: 5}, samples.start)
    await care.missing.add({samples.note: 4, samples.other: 1}, samples.start + MINUTE)

    assert await care.missing.oldest(5) == [
        MissingVersion(samples.note, 5, samples.start),
        MissingVersion(samples.other, 1, samples.start + MINUTE),
    ]
    assert [one.note_id for one in await care.missing.oldest(1)] == [samples.note]
    await care.missing.found({samples.note: 4, samples.other: 1})
    assert [one.note_id for one in await care.missing.oldest(5)] == [samples.note]
    assert await care.missing.count() == 1


async def test_twenty_that_miss_the_same_note_leave_the_highest_version(samples: Any, care: Maintenance):
    await asyncio.gather(*(care.missing.add({samples.note: at}, samples.start) for at in range(1, 21)))

    assert [one.version for one in await care.missing.oldest(5)] == [20]


async def test_levels_are_those_of_the_documents_and_a_mark_needs_the_version(samples: Any, care: Maintenance):
    await care.notes.write(Writes(inserts=[samples.document(samples.created())]))

    assert await care.levels.of([samples.note, samples.other]) == {samples.note: Level(1, parked=False)}
    await care.levels.park({samples.note: 2, samples.other: 1})
    assert await care.levels.of([samples.note]) == {samples.note: Level(1, parked=False)}
    await care.levels.park({samples.note: 1})
    assert await care.levels.of([samples.note]) == {samples.note: Level(1, parked=True)}


async def test_progress_is_the_last_that_was_told_of_each_partition(samples: Any, care: Maintenance):
    first = Progress("group", 0, 1, 2, samples.start, samples.start)
    second = first._replace(partition=1)
    await care.progress.save([first, second, first._replace(group="other")])
    await care.progress.save([moved := first._replace(position=2, at=samples.start + MINUTE)])
    await care.progress.save([])

    assert sorted(await care.progress.of("group")) == [moved, second]


async def test_a_note_is_asked_for_by_one_and_again_when_its_time_has_come(samples: Any, care: Maintenance):
    now = samples.start
    claims = await asyncio.gather(*(care.requests.claim(samples.note, now) for _ in range(10)))
    assert sorted(claim for claim in claims if claim is not None) == [0]

    await care.requests.again(samples.note, now + MINUTE)
    assert await care.requests.asked_lately([samples.note, samples.other], now) == {samples.note}
    assert await care.requests.claim(samples.note, now) is None
    assert await care.requests.claim(samples.note, now + MINUTE) == 1
