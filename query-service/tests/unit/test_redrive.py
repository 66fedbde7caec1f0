"""Dead letters are applied to our own documents."""

from collections.abc import Sequence
from typing import Any

import pytest
from query_support.fixtures import Samples, Side

from notes_chassis.dead_letters import DeadLetterFilter, Position
from notes_contracts import Code
from notes_query.errors import StoreUnavailable
from notes_query.projecting.counts import Counts
from notes_query.projecting.project_events import ProjectEvents
from notes_query.projecting.stored_record import DeadLetter
from notes_query.repairing.dead_letter_store import facts_of
from notes_query.repairing.dead_letters import Redrive, Target


@pytest.fixture
def redrive(side: Side, samples: Samples) -> Redrive:
    def targets(dead_letters: Any) -> dict[str, list[Target]]:
        return {"events": [Target("build 1", ProjectEvents([side.fold], dead_letters, lambda: samples.start))]}

    return Redrive(side.dead_letters, targets, lambda: samples.start)


async def given_up(side: Side, samples: Samples, *records: Any) -> None:
    await side.dead_letters.add([DeadLetter(record, Code.INTERNAL, "a bug", samples.start) for record in records])


async def test_a_dead_letter_is_applied_and_what_waited_for_it_follows(samples: Samples, side: Side, redrive: Redrive):
    first, second, third = (
        samples.record(message, offset)
        for offset, message in enumerate((samples.created(), samples.updated(), samples.updated(version=3)))
    )
    await side.given([first, third])
    await given_up(side, samples, second)

    (done,) = await redrive(DeadLetterFilter(), 10)

    assert done.failure is None
    assert (done.counts.applied, done.counts.healed) == (2, 1)
    assert side.notes.documents[samples.note]["version"] == 3
    assert side.dead_letters.kept["events:0:1"].state == "redriven"


async def test_twice_has_one_effect(samples: Samples, side: Side, redrive: Redrive):
    await given_up(side, samples, samples.record(samples.created()))
    await redrive(DeadLetterFilter(), 10)
    before = dict(side.notes.documents[samples.note])

    assert await redrive(DeadLetterFilter(), 10) == []
    (again,) = await redrive(DeadLetterFilter(ids=(Position("events", 0, 0),), state=None), 10)

    assert (again.counts.applied, again.counts.ignored) == (0, 1)
    assert side.notes.documents[samples.note] == before


async def test_what_fails_again_stays_open_with_the_new_reason_and_the_rest_goes_on(
    samples: Samples, side: Side, redrive: Redrive
):
    broken = samples.record(samples.created(), offset=1)._replace(value=b"{")
    await given_up(side, samples, broken, samples.record(samples.created(samples.other), offset=2))

    failed, done = await redrive(DeadLetterFilter(), 10)

    assert "build 1: not JSON" in failed.failure
    kept = side.dead_letters.kept["events:0:1"]
    assert (kept.state, kept.code, kept.tries) == ("open", "undecodable", 1)
    assert "not JSON" in kept.reason
    assert done.failure is None


async def test_a_dead_letter_of_a_newer_release_whose_topic_nobody_reads_keeps_its_code(samples: Samples, side: Side):
    record = samples.record(samples.created(), offset=1)
    await side.dead_letters.add([DeadLetter(record, "too_old", "for a reason of theirs", samples.start)])

    (failed,) = await Redrive(side.dead_letters, lambda _: {}, lambda: samples.start)(DeadLetterFilter(), 10)

    assert failed.failure == "nothing here reads the topic events"
    assert (side.dead_letters.kept["events:0:1"].state, side.dead_letters.kept["events:0:1"].code) == (
        "open",
        "too_old",
    )


async def test_a_bug_in_one_build_keeps_it_open_though_another_has_it(samples: Samples, side: Side):
    async def bug(_: Sequence[Any]) -> Counts:
        raise ZeroDivisionError("by nothing")

    def targets(dead_letters: Any) -> dict[str, list[Target]]:
        good = Target("build 1", ProjectEvents([side.fold], dead_letters, lambda: samples.start))
        return {"events": [Target("build 2", bug), good]}

    await given_up(side, samples, samples.record(samples.created()))

    (done,) = await Redrive(side.dead_letters, targets, lambda: samples.start)(DeadLetterFilter(), 10)

    assert done.failure.startswith("build 2: ZeroDivisionError in test_redrive.py, line ")
    assert side.dead_letters.kept["events:0:0"].state == "open"
    assert samples.note in side.notes.documents


async def test_a_store_that_is_away_changes_no_state(samples: Samples, side: Side):
    async def away(_: Sequence[Any]) -> Counts:
        raise StoreUnavailable("away")

    await given_up(side, samples, samples.record(samples.created()))
    redrive = Redrive(side.dead_letters, lambda _: {"events": [Target("1", away)]}, lambda: samples.start)

    with pytest.raises(StoreUnavailable):
        await redrive(DeadLetterFilter(), 10)
    assert (side.dead_letters.kept["events:0:0"].state, side.dead_letters.kept["events:0:0"].tries) == ("open", 0)


async def test_an_event_that_waited_and_cannot_be_read_now_is_no_loss(samples: Samples, side: Side, redrive: Redrive):
    second = samples.record(samples.updated(version=2), offset=7)
    await side.given([second])
    ((key, waiting),) = side.notes.waiting_events.items()
    side.notes.waiting_events[key] = waiting._replace(record=second._replace(value=b"{"))
    await given_up(side, samples, samples.record(samples.created()))

    (done,) = await redrive(DeadLetterFilter(), 10)

    assert done.failure is None
    assert {id_: kept.state for id_, kept in side.dead_letters.kept.items()} == {
        "events:0:0": "redriven",
        "events:0:7": "open",
    }


async def test_a_topic_that_nobody_reads_is_named(samples: Samples, side: Side, redrive: Redrive):
    await given_up(side, samples, samples.record(samples.created())._replace(topic="old"))

    (done,) = await redrive(DeadLetterFilter(), 10)

    assert done.failure == "nothing here reads the topic old"


def test_what_a_record_says_is_read_as_far_as_it_goes(samples: Samples):
    assert facts_of(samples.record(samples.updated())) == ("notes.event.note-updated.v1", samples.note)
    assert facts_of(samples.raw(b"{", key=samples.note.upper().encode())) == (None, samples.note)
    assert facts_of(samples.raw(b"[1]", key=b"\xff", ce_type=b"\xff")) == (None, None)
    assert facts_of(samples.raw(None, ce_type=b"x" * 900))[0] == "x" * 200
