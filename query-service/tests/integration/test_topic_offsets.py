"""How far a topic is, as far as a group can come."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from query_support.fixtures import Samples, Send, Settings

from notes_chassis.kafka.cluster import Cluster
from notes_query.errors import TopicUnavailable
from notes_query.rebuilding.topic_offsets import TAIL, TopicOffsets


@pytest.fixture
async def offsets(settings: Settings) -> AsyncIterator[TopicOffsets]:
    offsets = TopicOffsets(Cluster(settings.kafka), settings.topic_events)
    yield offsets
    await offsets.close()


@pytest.fixture
async def producer(settings: Settings) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(bootstrap_servers=settings.kafka, transactional_id=settings.topic_events)
    await producer.start()
    yield producer
    await producer.stop()


async def test_an_empty_topic_ends_where_it_begins(offsets: TopicOffsets):
    assert await offsets.ends() == await offsets.beginnings() == dict.fromkeys(range(12), 0)
    assert await offsets.committed("nobody") == {}


async def test_markers_and_aborted_records_at_the_end_are_not_waited_for(
    offsets: TopicOffsets, producer: AIOKafkaProducer, settings: Settings
):
    async def transaction(partition: int, *, commit: bool) -> None:
        await producer.begin_transaction()
        await producer.send_and_wait(settings.topic_events, b"x", partition=partition)
        await (producer.commit_transaction() if commit else producer.abort_transaction())

    await transaction(1, commit=True)
    for _ in range(32 * TAIL):
        await transaction(1, commit=False)
    await transaction(2, commit=False)

    ends = await offsets.ends()

    assert (ends[1], ends[2], ends[3]) == (1, 0, 0)


async def test_no_more_is_read_than_it_takes(
    offsets: TopicOffsets, send: Send, settings: Settings, monkeypatch: pytest.MonkeyPatch, samples: Samples
):
    """A record may have 2 MiB, and whoever begins a build asks for the ends of all partitions."""
    for version in range(2, 30):
        await send(settings.topic_events, samples.record(samples.updated(version=version)), partition=3)
    await offsets.beginnings()
    getmany, read = offsets._consumer.getmany, list[int]()

    async def spied(*partitions: Any, **options: Any) -> Any:
        found = await getmany(*partitions, **options)
        read.extend(record.offset for records in found.values() for record in records)
        return found

    monkeypatch.setattr(offsets._consumer, "getmany", spied)
    assert (await offsets.ends())[3] == 28
    assert read == [27]


async def test_what_retention_removed_is_no_end(
    offsets: TopicOffsets, send: Send, settings: Settings, samples: Samples, forget: Any
):
    records = [samples.record(samples.created()), samples.record(samples.updated())]
    await send(settings.topic_events, *records)
    await forget(settings.topic_events, samples.note, 2)

    ends, beginnings = await offsets.ends(), await offsets.beginnings()

    assert ends == beginnings
    assert max(ends.values()) == 2


async def test_a_topic_that_is_not_there_is_named_and_not_made(settings: Settings):
    offsets = TopicOffsets(Cluster(settings.kafka), f"{settings.topic_events}.none")

    for _ in range(2):
        with pytest.raises(TopicUnavailable, match="there is no topic"):
            await offsets.ends()
    await offsets.close()


async def test_kafka_away_is_said(settings: Settings, unused_tcp_port: int):
    offsets = TopicOffsets(Cluster(f"127.0.0.1:{unused_tcp_port}"), settings.topic_events)

    with pytest.raises(TopicUnavailable, match="Kafka: KafkaConnectionError"):
        await offsets.ends()
