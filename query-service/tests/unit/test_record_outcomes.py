import asyncio

import pytest
from query_support.fixtures import Samples, Side
from query_support.memory_awaited_versions import MemoryAwaitedVersions

from notes_contracts import Code, OutcomeError
from notes_query.projecting.record_outcomes import ReachedVersions, RecordOutcomes
from notes_query.reads.after import Stored
from tests.harness.waiting import eventually


@pytest.fixture
def record_outcomes(side: Side, samples: Samples) -> RecordOutcomes:
    return RecordOutcomes(
        side.outcomes, side.dead_letters, side.waiters, lambda: samples.start, MemoryAwaitedVersions()
    )


@pytest.fixture
def stored(side: Side) -> Stored:
    return Stored(side.waiters, side.outcomes.many, 5)


async def test_the_first_outcome_of_a_command_stays(samples: Samples, side: Side, record_outcomes: RecordOutcomes):
    error = OutcomeError(code=Code.NOTE_NOT_FOUND, message="no such note")
    first = samples.outcome(status="rejected", version=None, error=error)

    await record_outcomes([samples.record(first), samples.record(samples.outcome())])
    await record_outcomes([samples.record(samples.outcome())])

    (kept,) = side.outcomes.documents.values()
    assert kept == {
        "_id": samples.id("command"),
        "note_id": samples.note,
        "status": "rejected",
        "version": None,
        "error": {"code": "note_not_found", "message": "no such note"},
        "at": samples.recent,
        "digest": None,
    }


async def test_what_is_no_outcome_is_a_dead_letter_and_the_rest_is_kept(
    samples: Samples, side: Side, record_outcomes: RecordOutcomes
):
    good, at = samples.record(samples.outcome()), samples.recent
    kinds = [
        good._replace(offset=1, value=b"{"),
        good._replace(offset=2, value=None),
        good._replace(offset=3, headers=(("ce_type", b"notes.outcome.postponed.v1"),)),
        good._replace(offset=4, headers=()),
        good._replace(offset=5, value=good.value.replace(b"%d-%02d" % (at.year, at.month), b"%d-13" % at.year)),
    ]

    counts = await record_outcomes([*kinds, good])

    assert (counts.applied, counts.dead_lettered) == (1, 5)
    assert [dead_letter.record.offset for dead_letter in side.dead_letters.dead_letters.values()] == [1, 2, 3, 4, 5]
    assert samples.id("command") in side.outcomes.documents


async def test_an_outcome_wakes_who_waits_for_it(
    samples: Samples, side: Side, record_outcomes: RecordOutcomes, stored: Stored
):
    answer = asyncio.create_task(stored.once(samples.id("command"), 1, bool, 60))
    await eventually(lambda: side.waiters)

    await record_outcomes([samples.record(samples.outcome())])

    async with asyncio.timeout(1):
        outcome = await answer
    assert outcome is not None
    assert outcome["status"] == "accepted"


async def test_an_outcome_that_does_not_come_is_waited_for_as_long_as_asked(samples: Samples, stored: Stored):
    async with asyncio.timeout(1):
        assert await stored.once(samples.id("command"), 1, bool, 0) is None
        assert await stored.once(samples.id("command"), 1, bool, 0.01) is None


async def test_versions_that_are_known_to_be_stored_are_not_awaited(samples: Samples, side: Side):
    reached, awaited = ReachedVersions(), MemoryAwaitedVersions()
    reached.add([{"_id": samples.note, "version": 1}, {"_id": samples.other, "version": 1}])
    record = RecordOutcomes(
        side.outcomes, side.dead_letters, side.waiters, lambda: samples.start, awaited, reached=reached
    )

    await record([samples.record(samples.outcome())])
    assert not awaited.batches
    await record([samples.record(samples.outcome("second", note_id=samples.other, version=2), offset=1)])
    assert [versions for versions, _ in awaited.batches.values()] == [{samples.other: 2}]
