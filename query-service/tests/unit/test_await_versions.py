"""A last version that does not come is noticed, and so is one that comes after all."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from query_support.fixtures import Samples, Side
from query_support.memory_awaited_versions import (
    MemoryAwaitedVersions,
    MemoryMissingVersions,
    MemoryNoteLevels,
)

from notes_query.errors import Building
from notes_query.projecting.record_outcomes import RecordOutcomes, batch_name
from notes_query.repairing.missing_versions import AwaitVersions


class Awaiting:
    """The checker over the twins; `now` and `through` are set by the tests."""

    def __init__(self, side: Side, samples: Samples) -> None:
        self.now: datetime = samples.start
        self.through: datetime | None = None
        self.awaited, self.missing = MemoryAwaitedVersions(), MemoryMissingVersions()
        self.record = RecordOutcomes(side.outcomes, side.dead_letters, side.waiters, lambda: self.now, self.awaited)
        levels = MemoryNoteLevels(lambda: side.notes.documents, self.missing)
        self.check = AwaitVersions(self.awaited, self.missing, levels, lambda: self.through, lambda: self.now)

    async def later(self, seconds: float, *, stored: bool = True) -> None:
        self.now += timedelta(seconds=seconds)
        if stored:
            self.through = self.now
        while await self.check():
            pass


@pytest.fixture
def awaiting(side: Side, samples: Samples) -> Awaiting:
    return Awaiting(side, samples)


async def test_a_last_version_that_does_not_come_parks_its_note_until_it_comes(
    samples: Samples, side: Side, awaiting: Awaiting
):
    await side.given([samples.record(samples.created())])
    await awaiting.record([samples.record(samples.outcome(version=2))])

    await awaiting.later(29)
    assert awaiting.missing.missing == {}
    await awaiting.later(2)
    assert [(one.note_id, one.version) for one in await awaiting.missing.oldest(9)] == [(samples.note, 2)]
    assert side.notes.documents[samples.note]["parked"]
    assert awaiting.awaited.batches == {}

    await side.given([samples.record(samples.updated())])
    await awaiting.later(1)
    assert awaiting.missing.missing == {}
    assert not side.notes.documents[samples.note]["parked"]


async def test_a_note_that_is_not_known_at_all_is_missed_too(samples: Samples, awaiting: Awaiting):
    await awaiting.record([samples.record(samples.outcome(version=1))])

    await awaiting.later(31)

    assert samples.note in awaiting.missing.missing


async def test_what_came_in_time_leaves_nothing(samples: Samples, side: Side, awaiting: Awaiting):
    await awaiting.record([samples.record(samples.outcome(version=1))])
    await side.given([samples.record(samples.created())])

    await awaiting.later(31)

    assert (awaiting.missing.missing, awaiting.awaited.batches) == ({}, {})


@pytest.mark.parametrize("through", [None, timedelta(seconds=29)])
async def test_while_the_projector_is_behind_lateness_is_no_gap(
    samples: Samples, side: Side, awaiting: Awaiting, through: timedelta | None
):
    await awaiting.record([samples.record(samples.outcome(version=1))])
    awaiting.through = None if through is None else samples.start + through

    await awaiting.later(600, stored=False)
    assert awaiting.missing.missing == {}

    await side.given([samples.record(samples.created())])
    await awaiting.later(1)
    assert (awaiting.missing.missing, awaiting.awaited.batches) == ({}, {})


async def test_a_repeat_or_a_new_build_does_not_hide_what_is_missing(samples: Samples, side: Side, awaiting: Awaiting):
    await side.given([samples.record(samples.created())])
    await awaiting.record([samples.record(samples.outcome(version=2))])
    await awaiting.later(31)

    await side.given([samples.record(samples.created())])  # a repeat finds nothing that waits
    await awaiting.later(1)

    assert side.notes.documents[samples.note]["parked"]


async def test_only_accepted_outcomes_announce_and_of_a_note_the_highest_version(samples: Samples, awaiting: Awaiting):
    records = [
        samples.record(samples.outcome("a", version=3), 1),
        samples.record(samples.outcome("b", version=2), 2),
        samples.record(samples.outcome("c", status="rejected", version=None, note_id=samples.other), 3),
    ]

    await awaiting.record(records)

    assert [versions for versions, _ in awaiting.awaited.batches.values()] == [{samples.note: 3}]


async def test_a_batch_with_other_bounds_is_another_batch(samples: Samples, awaiting: Awaiting):
    first, second = (samples.record(samples.outcome(str(at), version=at), at) for at in (1, 2))

    await awaiting.record([first])
    await awaiting.record([first, second])  # read again after a crash, and more with it
    await awaiting.record([first, second])

    assert len(awaiting.awaited.batches) == 2
    assert batch_name([first, second]).startswith("events:0:1-2 ")
    assert batch_name([second, first]) == batch_name([first, second])


async def test_a_batch_of_a_topic_that_was_made_anew_is_another_batch(samples: Samples, awaiting: Awaiting):
    for version, note_id in ((3, samples.note), (2, samples.other)):
        await awaiting.record([samples.record(samples.outcome("a", version=version, note_id=note_id), 1)])

    assert [versions for versions, _ in awaiting.awaited.batches.values()] == [{samples.note: 3}, {samples.other: 2}]


async def test_what_one_checker_has_taken_is_looked_at_again_if_it_died(samples: Samples, awaiting: Awaiting):
    await awaiting.record([samples.record(samples.outcome(version=1))])
    due = samples.start + timedelta(seconds=31)
    await awaiting.awaited.claim(due, due + timedelta(minutes=1))

    await awaiting.later(40)
    assert awaiting.missing.missing == {}
    await awaiting.later(60)
    assert samples.note in awaiting.missing.missing


async def test_nothing_is_missed_while_the_read_model_is_being_built(samples: Samples, side: Side, awaiting: Awaiting):
    def building() -> Any:
        raise Building("notes")

    await awaiting.record([samples.record(samples.outcome(version=1))])
    levels = MemoryNoteLevels(building, awaiting.missing)
    check = AwaitVersions(awaiting.awaited, awaiting.missing, levels, lambda: awaiting.now, lambda: awaiting.now)
    awaiting.now += timedelta(seconds=31)

    assert await check() is False
    assert awaiting.missing.missing == {}
