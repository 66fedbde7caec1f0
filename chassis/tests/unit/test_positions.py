"""What comes next in each partition is learnt with as few questions as can be."""

import asyncio
from collections.abc import Collection

import pytest
from aiokafka import TopicPartition
from chassis_support.fake_consumer import FakeConsumer
from chassis_support.loop import Loop
from chassis_support.records import TOPIC


async def test_a_batch_of_many_new_partitions_waits_for_kafka_as_long_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of the consumer's connection waits behind its fetch, so all of it is asked at once."""
    new = [TopicPartition(TOPIC, number) for number in range(12)]
    loop = Loop(*((at, 0) for at in new))
    asked, both = list[tuple[str, int]](), asyncio.Barrier(2)

    async def ask(name: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        asked.append((name, len(partitions)))
        await both.wait()
        return dict.fromkeys(partitions, int(name == "ends"))

    monkeypatch.setattr(FakeConsumer, "beginning_offsets", lambda _, partitions: ask("beginnings", partitions))
    monkeypatch.setattr(FakeConsumer, "end_offsets", lambda _, partitions: ask("ends", partitions))
    async with asyncio.timeout(5):
        await loop.turn()
    assert asked == [("beginnings", 12), ("ends", 12)]
    assert loop.batches == [[(at.partition, 0) for at in new]]
