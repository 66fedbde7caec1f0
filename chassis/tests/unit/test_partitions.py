"""Partitions are given away when the batch in flight is done, or when that takes too long."""

import asyncio

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import KafkaConnectionError
from chassis_support.loop import ONE, TWO, Loop
from chassis_support.records import record

from notes_chassis.kafka import commits
from notes_chassis.kafka.offset_guard import OffsetGuard
from notes_chassis.kafka.partitions import PartitionsSetAside, Rebalance
from notes_chassis.process import Backoff
from tests.harness.waiting import settle

PARTITIONS = {TopicPartition("commands", 1), TopicPartition("commands", 2)}


async def test_revoking_waits_for_the_batch_in_flight() -> None:
    rebalance = Rebalance(OffsetGuard(), at_most_s=60)
    rebalance.idle.clear()
    revoking = asyncio.create_task(rebalance.on_partitions_revoked(PARTITIONS))
    await settle()
    assert not revoking.done()
    assert rebalance.leaving.is_set(), "whoever waits for a server stops waiting"
    rebalance.idle.set()
    async with asyncio.timeout(5):
        await revoking


async def test_revoking_without_a_batch_in_flight_is_done_at_once() -> None:
    rebalance = Rebalance(OffsetGuard(), at_most_s=60, assigned=frozenset(PARTITIONS))
    async with asyncio.timeout(30):
        await rebalance.on_partitions_revoked(PARTITIONS)
    assert (rebalance.leaving.is_set(), rebalance.assigned) == (True, set())


async def test_revoking_gives_up_in_time() -> None:
    rebalance = Rebalance(OffsetGuard(), at_most_s=0.01)
    rebalance.idle.clear()
    async with asyncio.timeout(5):
        await rebalance.on_partitions_revoked(PARTITIONS)
    assert rebalance.leaving.is_set()


async def test_a_batch_that_outlived_its_assignment_says_nothing_of_the_next(monkeypatch: pytest.MonkeyPatch) -> None:
    loop, stored = Loop((ONE, 0), (ONE, 1)), asyncio.Event()
    resets = loop.count("partition_resets_total")
    loop.rebalance.at_most_s = 0.01
    monkeypatch.setattr(loop.consumer, "process", lambda _: stored.wait())
    outlived = asyncio.create_task(loop.consumer.handle(loop.kafka.fetch()))
    await settle()
    await reassigned(loop)
    stored.set()
    await outlived
    monkeypatch.setattr(loop.consumer, "process", loop.process)
    loop.rebalance.at_most_s = 5.0
    assert await loop.rebalance.until_idle()
    assert (loop.kafka.commits, loop.consumer.guard.expected) == ([], {})
    await loop.turn()
    assert (loop.batches, loop.kafka.commits) == ([[(1, 0), (1, 1)]], [{ONE: 2}])
    assert loop.count("partition_resets_total") == resets


@pytest.mark.parametrize("more", [False, True], ids=["nothing since", "a batch since"])
async def test_offsets_that_outlived_their_assignment_are_not_committed(
    more: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(commits, "INTERVAL_S", 0.01)
    loop, refused = Loop((ONE, 0), (TWO, 0)), asyncio.Event()
    loop.rebalance.at_most_s = 0.01
    commit = loop.kafka.commit

    async def committing(offsets: dict[TopicPartition, tuple[int, str]]) -> None:
        loop.kafka.commit = commit  # type: ignore[method-assign]
        await refused.wait()
        raise KafkaConnectionError

    loop.kafka.commit = committing  # type: ignore[method-assign]
    for _ in range(2):
        await loop.consumer.handle(loop.kafka.fetch(1))
        await settle()
    await reassigned(loop)
    if more:
        await loop.consumer.handle(loop.kafka.fetch(1))
    refused.set()
    loop.rebalance.at_most_s = 5.0
    assert await loop.rebalance.until_idle()
    assert loop.kafka.commits == [{ONE: 1}] * more


async def reassigned(loop: Loop) -> None:
    """Give the partitions away and get the same ones, to be read from what is committed."""
    await loop.rebalance.on_partitions_revoked({ONE, TWO})
    loop.kafka.positions.clear()
    await loop.rebalance.on_partitions_assigned({ONE, TWO})


@pytest.mark.parametrize("assigned", [PARTITIONS, set()])
async def test_an_assignment_starts_the_books_anew(assigned: set[TopicPartition]) -> None:
    guard = OffsetGuard()
    guard.expected[TopicPartition("commands", 1)] = 5
    rebalance = Rebalance(guard, at_most_s=60)
    await rebalance.on_partitions_revoked(PARTITIONS)
    await rebalance.on_partitions_assigned(assigned)
    assert not guard.expected
    assert not rebalance.leaving.is_set()
    assert rebalance.assigned == assigned


async def test_partitions_set_aside_wait_with_a_back_off_of_their_own_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Backoff, "next", lambda _: 60.0)
    monkeypatch.setattr(commits, "INTERVAL_S", 0.01)
    reasons = {1: "somebody holds a lock"}
    loop = Loop((ONE, 0), (TWO, 0), errors=[PartitionsSetAside(reasons)])
    loop.kafka.committed_offsets = {ONE: 0, TWO: 0}
    await loop.turn()
    assert (loop.kafka.commits, loop.kafka.on_hold, loop.kafka.positions[ONE]) == ([{TWO: 1}], {ONE}, 0)
    part = loop.health.parts["things"]
    assert (part.ok, part.reason) == (False, "partition 1 waits: somebody holds a lock")

    loop.kafka.log.append(record(TWO, 1))
    loop.consumer.resume()
    await loop.turn()
    assert (loop.batches, loop.kafka.on_hold) == ([[(2, 1)]], {ONE}), "not before its time, and the part stays red"
    assert not loop.health.parts["things"].ok

    loop.consumer._set_aside.clock = lambda: float("inf")
    loop.consumer.resume()
    await loop.turn()
    assert loop.batches[1:] == [[(1, 0)]]
    assert loop.kafka.commits[-1] == {ONE: 1}
    assert loop.health.parts["things"].ok


async def test_a_partition_set_aside_that_others_have_now_is_not_told_any_more() -> None:
    loop = Loop((ONE, 0), (TWO, 0), errors=[PartitionsSetAside({1: "somebody holds a lock"})])
    await loop.turn()
    loop.kafka.log = [record(TWO, 0)]
    loop.kafka.on_hold = set()
    loop.consumer.resume()
    assert loop.health.parts["things"].ok
