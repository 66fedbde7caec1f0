"""From a batch's arrival to the commit of its offsets: whatever goes wrong, no record is passed over."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError
from chassis_support.fake_consumer import FakeConsumer
from chassis_support.loop import ONE, TWO, AwayError, BadCodeError, Loop

from notes_chassis.kafka import commits, pacing
from notes_chassis.kafka.commits import COMMIT_TRIES
from notes_chassis.process import Backoff
from tests.harness.waiting import eventually


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "next", lambda _: 0.0)
    monkeypatch.setattr(commits, "INTERVAL_S", 0.01)


async def test_exactly_the_offsets_of_the_batch_are_committed() -> None:
    loop = Loop((ONE, 0), (ONE, 1), (TWO, 0), (TWO, 1))
    await loop.turn(limit=3)
    assert loop.batches == [[(1, 0), (1, 1), (2, 0)]]
    assert loop.kafka.commits == [{ONE: 2, TWO: 1}]


async def test_a_batch_that_mixes_partitions_is_processed_partition_by_partition() -> None:
    loop = Loop((TWO, 0), (ONE, 0), (TWO, 1), (ONE, 1))
    await loop.turn()
    assert loop.batches == [[(2, 0), (2, 1), (1, 0), (1, 1)]]


@pytest.mark.parametrize("error", [AwayError("away"), ZeroDivisionError("a bug"), KafkaConnectionError()])
async def test_a_batch_is_tried_until_it_is_stored_and_nothing_is_committed_before(error: Exception) -> None:
    loop = Loop((ONE, 4), (ONE, 5), (TWO, 7), errors=[error] * 3)
    loop.kafka.committed_offsets = {ONE: 4, TWO: 7}
    waits = loop.count("waits_total", reason=type(error).__name__)
    await loop.turn()
    assert loop.batches == [[(1, 4), (1, 5), (2, 7)]]
    assert loop.kafka.commits == [{ONE: 6, TWO: 8}]
    assert loop.count("waits_total", reason=type(error).__name__) == waits + 3
    assert loop.health.parts["things"].ok
    assert loop.rebalance.idle.is_set()


async def test_a_bug_in_the_loop_itself_seeks_back_and_commits_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop((ONE, 4), (TWO, 7))
    loop.kafka.committed_offsets = {ONE: 4, TWO: 7}
    with monkeypatch.context() as patched:
        patched.setattr(pacing.Yielding, "note_load", lambda *_: 1 / 0)
        await loop.turn()
    assert (loop.kafka.commits, loop.batches) == ([], [])
    await loop.turn()
    assert loop.batches == [[(1, 4), (2, 7)]]


async def test_seeking_back_on_a_partition_that_is_gone_is_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    loop = Loop((ONE, 0))
    loop.kafka.seek_error = IllegalStateError("not assigned")
    monkeypatch.setattr(pacing.Yielding, "note_load", lambda *_: 1 / 0)
    await loop.turn()
    assert (loop.kafka.commits, loop.batches) == ([], [])


async def test_held_partitions_wait_and_the_others_go_on() -> None:
    loop = Loop((ONE, 0), (TWO, 0), (ONE, 1), (TWO, 1))
    loop.held = {1}
    await loop.turn()
    loop.consumer.resume()
    await loop.turn()
    assert loop.batches == [[(2, 0), (2, 1)]]
    assert (loop.kafka.commits, loop.kafka.on_hold) == ([{TWO: 2}], {ONE})
    loop.held = set()
    loop.consumer.resume()
    await loop.turn()
    assert loop.batches[1:] == [[(1, 0), (1, 1)]]
    assert loop.kafka.on_hold == set()


async def test_records_that_were_skipped_are_read_again() -> None:
    loop = Loop(*((ONE, offset) for offset in range(4)), (TWO, 0))
    rewinds = loop.count("rewinds_total")
    loop.kafka.positions[ONE] = 2  # a fetch that raised had drained 0 and 1
    await loop.turn()
    assert loop.batches == [[(2, 0)]], "the other partition goes on"
    assert loop.kafka.commits == [{TWO: 1}]
    await loop.turn()
    assert loop.batches[1] == [(1, 0), (1, 1), (1, 2), (1, 3)]
    assert loop.count("rewinds_total") == rewinds + 1


async def test_an_error_while_offsets_are_checked_does_not_make_a_hole_of_a_jump() -> None:
    loop = Loop(*((ONE, offset) for offset in range(4)), (TWO, 0))
    loop.kafka.positions[ONE] = 2
    loop.kafka.committed_errors = {TWO: [KafkaConnectionError()]}
    await loop.turn()
    await loop.turn()
    assert loop.batches == [[(2, 0)], [(1, 0), (1, 1), (1, 2), (1, 3)]]


async def test_a_batch_of_nothing_but_skipped_partitions_commits_nothing() -> None:
    loop = Loop((ONE, 0), (ONE, 1))
    loop.kafka.positions[ONE] = 1
    await loop.turn()
    assert (loop.kafka.commits, loop.batches) == ([], [])


async def test_a_hole_is_crossed_and_counted_but_not_as_a_loss() -> None:
    loop = Loop((ONE, 3), (ONE, 4))
    holes, lost = loop.count("offset_holes_total"), loop.count("lost_records_total")
    await loop.turn()
    await loop.turn()
    assert loop.kafka.commits == [{ONE: 5}]
    assert (loop.count("offset_holes_total") - holes, loop.count("lost_records_total") - lost) == (3, 0)


@pytest.mark.parametrize(("beginning", "lost", "holes"), [(8, 3, 2), (10, 5, 0), (99, 5, 0), (5, 0, 5), (0, 0, 5)])
async def test_what_retention_removed_is_counted_as_lost(beginning: int, lost: int, holes: int) -> None:
    """Five was expected and ten came: what lay below the beginning of the partition will never come."""
    loop = Loop((ONE, 10))
    loop.kafka.committed_offsets, loop.kafka.beginning = {ONE: 5}, {ONE: beginning}
    before = loop.count("lost_records_total"), loop.count("offset_holes_total")
    await loop.turn()
    await loop.turn()
    assert loop.batches == [[(1, 10)]]
    assert (loop.count("lost_records_total") - before[0], loop.count("offset_holes_total") - before[1]) == (lost, holes)


async def test_a_group_that_is_new_expects_the_beginning_of_the_partition() -> None:
    loop = Loop((ONE, 7))
    loop.kafka.beginning = {ONE: 7}
    await loop.turn()
    assert loop.kafka.commits == [{ONE: 8}]


@pytest.mark.parametrize(("error", "unready"), [(AwayError("down"), False), (BadCodeError("bugs"), True)])
async def test_leaving_ends_the_wait_and_leaves_the_batch_to_others(
    error: Exception, unready: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop((ONE, 0), errors=[error])
    monkeypatch.setattr(Backoff, "next", lambda _: 60.0)
    turn = asyncio.create_task(loop.turn())
    await eventually(lambda: not loop.health.parts.get("things", loop.well).ok)
    loop.rebalance.leaving.set()
    async with asyncio.timeout(5):
        await turn
    assert (loop.kafka.commits, loop.batches) == ([], [])
    assert loop.health.ready(()) == (not unready), "requests run into a bad deploy, and into nothing else of this"
    assert loop.rebalance.idle.is_set(), "the rebalance need not wait any longer"


async def test_a_batch_that_was_fetched_before_a_rebalance_is_left_to_whoever_gets_it() -> None:
    loop = Loop((ONE, 0))
    loop.rebalance.leaving.set()
    await loop.turn()
    assert (loop.batches, loop.kafka.commits) == ([], [])


async def test_a_rebalance_waits_for_the_commit() -> None:
    loop = Loop((ONE, 0))
    idle: list[bool] = []
    watched(loop.kafka, lambda: idle.append(loop.rebalance.idle.is_set()))
    await loop.turn()
    assert (idle, loop.rebalance.idle.is_set()) == ([False], True)


@pytest.mark.parametrize("error", [CommitFailedError("rebalanced"), IllegalStateError("not assigned")])
async def test_offsets_of_partitions_that_are_gone_are_not_committed(error: Exception) -> None:
    loop = Loop((ONE, 0))
    loop.kafka.commit_errors = [error]
    await loop.turn()
    assert (loop.kafka.commits, loop.kafka.commit_errors) == ([], [])


async def test_a_commit_that_fails_is_tried_again_and_costs_nothing_if_it_never_works() -> None:
    loop = Loop((ONE, 0), (ONE, 1))
    loop.kafka.commit_errors = [KafkaConnectionError()] * 2
    await loop.turn(limit=1)
    assert loop.kafka.commits == [{ONE: 1}]
    loop.kafka.commit_errors = [KafkaConnectionError()] * COMMIT_TRIES
    await loop.turn()
    assert loop.kafka.commits == [{ONE: 1}]
    assert loop.batches == [[(1, 0)], [(1, 1)]]


async def test_batches_do_not_wait_for_commits_of_which_one_is_under_way_at_a_time() -> None:
    loop, answered = Loop(*((ONE, offset) for offset in range(3))), asyncio.Event()
    watched(loop.kafka, answered.wait)
    for _ in range(3):
        await loop.consumer.handle(loop.kafka.fetch(1))
        await asyncio.sleep(0)  # lets the first commit begin
    assert loop.batches == [[(1, 0)], [(1, 1)], [(1, 2)]]
    assert not loop.rebalance.idle.is_set(), "a rebalance waits for what is not committed"
    answered.set()
    await loop.rebalance.until_idle()
    assert loop.kafka.commits == [{ONE: 1}, {ONE: 3}]


async def test_it_yields_while_a_consumer_that_matters_more_has_work() -> None:
    loop, works = Loop((ONE, 0)), [True]
    loop.consumer.yielding.to = lambda: works[0]
    turn = asyncio.create_task(loop.turn())
    await eventually(lambda: loop.consumer.waiting)
    assert loop.batches == []
    works[0] = False
    await turn
    assert loop.batches == [[(1, 0)]]
    assert not loop.consumer.waiting


async def test_it_does_not_yield_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "YIELD_S", 0.1)
    loop = Loop((ONE, 0))
    loop.consumer.yielding.to = lambda: True
    async with asyncio.timeout(5):
        await loop.turn()
    assert loop.batches == [[(1, 0)]]


async def test_it_is_under_load_for_a_moment_after_a_large_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "UNDER_LOAD_S", 60.0)
    loop = Loop(*((ONE, offset) for offset in range(2 * pacing.MANY)))
    await loop.turn(pacing.MANY - 1)
    assert not loop.consumer.yielding.under_load
    await loop.turn(pacing.MANY)
    assert loop.consumer.yielding.under_load


def watched(kafka: FakeConsumer, first: Callable[[], Awaitable[Any] | None]) -> None:
    """Have `first` done before each commit."""
    commit = kafka.commit

    async def committing(offsets: dict[TopicPartition, tuple[int, str]]) -> None:
        if (waiting := first()) is not None:
            await waiting
        await commit(offsets)

    kafka.commit = committing  # type: ignore[method-assign]
