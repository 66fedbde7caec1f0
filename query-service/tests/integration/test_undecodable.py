"""Records nobody can read, among others that everybody can."""

from typing import Any, Final

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from query_support.fixtures import Database, Running, Samples, Send, Settings
from query_support.reading import reached

from notes_chassis.unread import CUT, KEY_KEPT, UNREAD
from notes_contracts import partition_of
from tests.harness.kafka_io import Sent, publish
from tests.harness.odd_records import publish_with_odd_header_name

MIB: Final = 1024 * 1024


@pytest.fixture
def read_topic(servers: Any) -> Any:
    """Give what reads so many records of a topic."""

    async def read_topic(topic: str, number: int) -> list[Any]:
        consumer = AIOKafkaConsumer(topic, bootstrap_servers=servers.kafka, auto_offset_reset="earliest")
        await consumer.start()
        try:
            return [await consumer.getone() for _ in range(number)]
        finally:
            await consumer.stop()

    return read_topic


async def test_they_are_dead_letters_and_the_rest_flows(
    samples: Samples, settings: Settings, running: Running, send: Send, read_topic: Any
):
    own = partition_of(samples.note.encode(), 12)
    bad = [
        samples.raw(b"no headers", key=b"\xffkey"),
        samples.raw(b"null header", ce_id=None, ce_type=b"\xff\xfe"),
        samples.raw(None, key=b"k", ce_id=samples.id("x").encode(), ce_type=b"notes.event.note-created.v1"),
        samples.raw(b"", **{"dead-letter-code": b"an older one", "reply_to": settings.topic_events.encode()}),
    ]
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        await send(settings.topic_events, *bad, partition=own)
        await send(settings.topic_events, samples.record(samples.updated()))
        answer = await client.get(f"/notes/{samples.note}?min_version=2&wait=10")
        assert answer.json()["version"] == 2
        dead_letters = await read_topic(settings.topic_event_dead_letters, 4)

    for offset, (dead_letter, record) in enumerate(zip(dead_letters, bad, strict=True), start=1):
        assert (dead_letter.key, dead_letter.value) == (record.key, record.value)
        added = dict(dead_letter.headers)
        assert added["dead-letter-code"] == b"undecodable"
        assert added["dead-letter-topic"] == settings.topic_events.encode()
        assert added["dead-letter-partition"] == b"%d" % own
        assert added["dead-letter-offset"] == b"%d" % offset
        assert added["dead-letter-reason"]
        kept = [pair for pair in dead_letter.headers if not pair[0].startswith("dead-letter-")]
        assert kept == [pair for pair in record.headers if not pair[0].startswith("dead-letter-")]


async def test_a_readable_note_with_an_unreadable_event_is_parked_by_it(
    samples: Samples, settings: Settings, running: Running, send: Send, database: Database
):
    broken = samples.record(samples.updated())._replace(value=b"{")
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()), broken)
        await send(settings.topic_events, samples.record(samples.updated(version=3)))
        answer = await client.get(f"/notes/{samples.note}?min_version=3&wait=2")

        assert (answer.headers["consistency"], answer.json()["version"]) == ("parked", 1)
        assert await database["dead_letters"].count_documents({"code": "undecodable", "state": "open"}) == 1


async def test_an_outcome_nobody_can_read_is_a_dead_letter_too(
    samples: Samples, settings: Settings, running: Running, send: Send, read_topic: Any
):
    good = samples.record(samples.outcome())
    own = partition_of(good.key, 12)
    async with running(settings) as client:
        await send(settings.topic_outcomes, samples.raw(b"?"), partition=own)
        await send(settings.topic_outcomes, good)
        answer = await client.get(f"/commands/{samples.id('command')}?wait=10")
        assert answer.status_code == 200
        (dead_letter,) = await read_topic(settings.topic_event_dead_letters, 1)

    assert dict(dead_letter.headers)["dead-letter-topic"] == settings.topic_outcomes.encode()


async def test_records_of_an_aborted_transaction_are_not_read(
    samples: Samples, settings: Settings, running: Running, servers: Any, database: Database
):
    producer = AIOKafkaProducer(bootstrap_servers=servers.kafka, transactional_id=settings.topic_events)
    await producer.start()
    try:
        async with running(settings) as client:
            for message, keep in ((samples.created(title="no"), False), (samples.created(title="yes"), True)):
                record = samples.record(message)
                await producer.begin_transaction()
                await producer.send_and_wait(
                    settings.topic_events, record.value, record.key, headers=list(record.headers)
                )
                await (producer.commit_transaction() if keep else producer.abort_transaction())
            await reached(client, samples.note)
            # Beyond two control records the next offset still is no loss, and no reason to stop.
            record = samples.record(samples.updated())
            await producer.begin_transaction()
            await producer.send_and_wait(settings.topic_events, record.value, record.key, headers=list(record.headers))
            await producer.commit_transaction()
            answer = await client.get(f"/notes/{samples.note}?min_version=2&wait=10")
    finally:
        await producer.stop()

    assert (answer.json()["title"], answer.json()["version"]) == ("yes", 2)
    assert await database["notes_v2_1_parked"].count_documents({}) == 0


async def test_what_compression_has_made_small_is_kept_and_stops_nobody(
    *, samples: Samples, settings: Settings, running: Running, send: Send, database: Database, read_topic: Any
):
    """17 MiB of key and headers in 17 kB: more than a document of MongoDB holds, as a dead letter or while it waits."""
    own = partition_of(samples.note.encode(), 12)
    key, large = b"k" * 9 * MIB, ("large", b"x" * 8 * MIB)
    late = samples.record(samples.updated(version=3))
    hostile = [
        Sent(key, None, [large, ("ce_id", samples.id("x").encode())], own),
        Sent(key, late.value, [*late.headers, large], own),
    ]
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        await publish(settings.kafka, settings.topic_events, hostile, compression_type="gzip", max_batch_size=100 * MIB)
        await send(settings.topic_events, samples.record(samples.updated()))
        answer = await client.get(f"/notes/{samples.note}?min_version=3&wait=20")
        assert answer.json()["version"] == 3
        (dead_letter,) = await read_topic(settings.topic_event_dead_letters, 1)
        (kept,) = await database["dead_letters"].find().to_list(None)

    assert (kept["code"], kept["reason"]) == ("undecodable", CUT.decode())
    assert kept["headers"] == [[UNREAD, CUT]]
    assert (dead_letter.key, dead_letter.key == kept["key"]) == (b"k" * KEY_KEPT, True)


async def test_a_header_name_that_is_not_utf8_stops_nobody(
    samples: Samples, settings: Settings, running: Running, send: Send
):
    created = samples.record(samples.created())
    async with running(settings) as client:
        odd = Sent(created.key, created.value, list(created.headers), partition_of(created.key, 12))
        await publish_with_odd_header_name(settings.kafka, settings.topic_events, odd)
        await send(settings.topic_events, samples.record(samples.updated()))
        answer = await client.get(f"/notes/{samples.note}?min_version=2&wait=10")
    assert answer.json()["version"] == 2
