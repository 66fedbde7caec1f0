"""How far the topic is, as a reader tells it, with what Kafka does not answer."""

import asyncio
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka import TopicPartition

from notes_query.errors import TopicUnavailable
from notes_query.live import tail as tail_module
from notes_query.live.tail import Bounds, EventTail


class Consumer:
    """A consumer of three partitions, each read to its end. Like aiokafka's it waits for a partition without leader.

    `answers`: whether the cluster tells of its partitions; a client that is closed never does.
    """

    def __init__(self) -> None:
        self.led, self.ends, self.answers = {0, 1, 2}, [5, 6, 7], True
        self._client = SimpleNamespace(
            cluster=SimpleNamespace(available_partitions_for_topic=lambda _: self.led),
            force_metadata_update=self._told,
        )

    async def _told(self) -> bool:
        if not self.answers:
            await asyncio.Event().wait()
        return True

    def partitions_for_topic(self, _: str) -> set[int]:
        return set(range(len(self.ends)))

    async def beginning_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {at: 2 for at in partitions if await self._leads(at)}

    async def end_offsets(self, partitions: Sequence[TopicPartition]) -> dict[TopicPartition, int]:
        return {at: self.ends[at.partition] for at in partitions if await self._leads(at)}

    async def _leads(self, at: TopicPartition) -> bool:
        if at.partition not in self.led:
            await asyncio.Event().wait()
        return True

    def assign(self, _: Any) -> None:
        pass

    seek = lambda *_: None  # noqa: E731

    async def getmany(self, **_: Any) -> dict[Any, Any]:
        return {}

    async def position(self, at: TopicPartition) -> int:
        return self.ends[at.partition]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tail_module, "BOUNDS_S", 0.1)


async def test_a_partition_without_leader_is_as_far_as_it_was_read():
    consumer, known = Consumer(), {}
    tail = EventTail(consumer, "events", known)
    tail.seek((5, 6, 3))
    consumer.led = {0, 1}
    assert await tail.bounds() == Bounds((2, 2, 0), (5, 6, 3))
    await tail.read(10, 0.0)
    assert await tail.bounds() == Bounds((2, 2, 0), (5, 6, 7))
    assert await EventTail(consumer, "events", known).bounds() == Bounds((2, 2, 0), (5, 6, 7))


async def test_a_reader_that_begins_takes_what_others_were_told():
    consumer, known = Consumer(), {}
    await EventTail(consumer, "events", known).bounds()
    consumer.led = set()
    assert await EventTail(consumer, "events", known).bounds() == Bounds((0, 0, 0), (5, 6, 7))


async def test_an_answer_that_is_late_takes_nothing_back():
    consumer, known = Consumer(), {("", 0): 9}  # another reader has read more meanwhile
    await EventTail(consumer, "events", known).bounds()
    consumer.led = set()
    assert (await EventTail(consumer, "events", known).bounds()).end == (9, 6, 7)


async def test_where_a_partition_without_leader_begins_nobody_knows_at_first():
    consumer, known = Consumer(), {}
    await EventTail(consumer, "events", known).bounds()
    consumer.led = {0, 2}
    anew = EventTail(consumer, "events", known)
    anew.topic_id = "another"
    with pytest.raises(TopicUnavailable, match="partition 1 of topic events has no leader"):
        await anew.bounds()


async def test_a_client_of_kafka_that_never_answers_is_not_waited_for():
    consumer = Consumer()
    consumer.answers = False
    with pytest.raises(TopicUnavailable):
        async with asyncio.timeout(10):
            await EventTail(consumer, "events", {}).bounds()
