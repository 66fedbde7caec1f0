"""Streams of changes when a server, a topic, a client or the service itself goes."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from query_support.fixtures import Samples, Send, SendMany, Settings

from notes_chassis.http import server
from notes_query.live import changes
from tests.harness.kafka_line import kafka_over_a_line
from tests.harness.proxy import Proxy
from tests.harness.waiting import eventually

LONG_TYPE = "notes.event." + "x" * 180 + ".v1"


@pytest.fixture
async def kafka_line(servers: Any) -> AsyncIterator[Proxy]:
    async with kafka_over_a_line(servers.kafka) as line:
        yield line


async def test_kafka_away_and_back_loses_nothing(
    *, samples: Samples, settings: Settings, listening: Any, follow: Any, kafka_line: Proxy, send: Send
):
    async with listening(settings) as instance, follow(instance) as changes:
        await send(settings.topic_events, samples.record(samples.created()))
        (first,) = await changes.some(1)
        await kafka_line.cut()
        await eventually(
            lambda: instance.client.get("/notes/changes", headers={"Last-Event-ID": "A"}),
            lambda found: found.status_code == 400,
        )
        await asyncio.sleep(3)  # long enough for clients to have given up connections and to be at their back-off
        await kafka_line.mend()
        for version in range(2, 12):
            await send(settings.topic_events, samples.record(samples.updated(version=version)))
        seen = await changes.some(10)
    assert [event.about for event in [first, *seen]] == [(samples.note, version) for version in range(1, 12)]


async def test_an_id_older_than_the_topic_begins_with_a_reset(
    *, samples: Samples, settings: Settings, listening: Any, follow: Any, send: Send, servers: Any
):
    topic = settings.topic_events
    async with listening(settings) as instance:
        async with follow(instance) as changes:
            await send(topic, samples.record(samples.created()), partition=0)
            (old,) = await changes.some(1)
            await send(topic, *(samples.record(samples.updated(version=version)) for version in (2, 3)), partition=0)
            recent = (await changes.some(2))[-1]
        admin: Any = AIOKafkaAdminClient(bootstrap_servers=servers.kafka)
        await admin.start()
        await admin.delete_records({TopicPartition(topic, 0): RecordsToDelete(before_offset=2)})
        await admin.close()
        async with listening(settings, "api") as fresh:
            async with follow(fresh, old.id) as changes:
                (reset,) = await changes.some(1)
                assert (reset.name, list(reset.data)) == ("reset", ["reason"])
                await send(topic, samples.record(samples.updated(version=4)), partition=0)
                (event,) = await changes.some(1)
                assert event.about == (samples.note, 4)
            async with follow(fresh, recent.id) as changes:
                (event,) = await changes.some(1)
                assert event.about == (samples.note, 4)


async def flood(samples: Samples, settings: Settings, send_many: SendMany, versions: range) -> None:
    """Send more than the buffers of a connection hold: events of a type nobody knows, with a long name."""
    await send_many(settings.topic_events, [samples.unknown(version, ce_type=LONG_TYPE) for version in versions])


async def test_a_client_that_takes_nothing_costs_no_memory_and_is_cut_off(
    *,
    samples: Samples,
    settings: Settings,
    listening: Any,
    follow: Any,
    unread: Any,
    send: Send,
    send_many: SendMany,
    monkeypatch: Any,
):
    monkeypatch.setattr(changes, "SEND_S", 1.0)
    async with listening(settings) as instance, follow(instance) as quick:
        _, writer = await unread(instance)
        await send(settings.topic_events, samples.record(samples.created()))
        await quick.some(1)
        for begin in range(2, 3002, 500):
            await flood(samples, settings, send_many, range(begin, begin + 500))
            await quick.some(500)
        await eventually(lambda: instance.client.get("/metrics"), lambda found: "notes_query_streams 1.0" in found.text)
        writer.close()


async def test_the_end_does_not_wait_for_streams_not_even_for_one_whose_client_takes_nothing(
    *,
    samples: Samples,
    settings: Settings,
    listening: Any,
    follow: Any,
    unread: Any,
    send: Send,
    send_many: SendMany,
    monkeypatch: Any,
):
    # Who waited for them would wait for longer than this test may take.
    monkeypatch.setattr(changes, "SEND_S", 300.0)
    monkeypatch.setattr(server, "GRACE_S", 300)
    async with listening(settings) as instance:
        _, writer = await unread(instance)
        async with follow(instance) as followed:
            await send(settings.topic_events, samples.record(samples.created()))
            await flood(samples, settings, send_many, range(2, 1002))
            last = (await followed.some(1001))[-1]
            assert last.about == (samples.note, 1001)
            instance.server.end()
            assert await followed.next() is None
    writer.close()
