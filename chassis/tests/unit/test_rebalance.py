"""Partitions are given away when the batch in flight is done, or when that takes too long."""

import asyncio

import pytest
from aiokafka import TopicPartition
from chassis_support.waiting import settle

from notes_chassis.kafka.offsets import OffsetGuard
from notes_chassis.kafka.rebalance import Rebalance

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
    async with asyncio.timeout(5):
        await Rebalance(OffsetGuard(), at_most_s=60).on_partitions_revoked(PARTITIONS)


async def test_revoking_gives_up_in_time() -> None:
    rebalance = Rebalance(OffsetGuard(), at_most_s=0.01)
    rebalance.idle.clear()
    async with asyncio.timeout(5):
        await rebalance.on_partitions_revoked(PARTITIONS)
    assert rebalance.leaving.is_set()


@pytest.mark.parametrize("assigned", [PARTITIONS, set()])
async def test_an_assignment_starts_the_books_anew(assigned: set[TopicPartition]) -> None:
    guard = OffsetGuard()
    guard.expect(TopicPartition("commands", 1), 5)
    rebalance = Rebalance(guard, at_most_s=60)
    await rebalance.on_partitions_revoked(PARTITIONS)
    await rebalance.on_partitions_assigned(assigned)
    assert not guard.knows(TopicPartition("commands", 1))
    assert not rebalance.leaving.is_set()
    assert rebalance.assigned == assigned
