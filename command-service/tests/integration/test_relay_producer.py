"""The relay's producer, against a real broker that goes away or refuses."""

from collections import deque

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.record.default_records import DefaultRecordBatchBuilder

from notes_chassis.kafka import clients
from notes_chassis.kafka.cluster import Cluster
from notes_command.errors import ProducerUnavailable
from notes_command.outbox.producer import RelayProducer
from notes_command.outbox.row import Record
from tests.harness.clock_ahead import clock_ahead
from tests.harness.kafka_line import kafka_over_a_line, tasks_of_aiokafka
from tests.harness.waiting import eventually


def record(topic, partition=0, key=b"a note", value=b"{}", headers=()):
    return Record(1, "an id", (topic, "a note"), topic, partition, key, value, headers)


async def sent(producer, one):
    return await producer.send(one.destination, deque([one]))


async def test_nothing_of_a_producer_that_failed_goes_on(write_side, monkeypatch):
    settings = write_side.settings
    monkeypatch.setattr(clients, "STOP_S", 0.1)
    producer = RelayProducer(Cluster(settings.kafka), 3.0)
    async with kafka_over_a_line(settings.kafka) as line:
        assert await sent(producer, record(settings.topic_events)) == ([(1, "an id")], None, False)
        assert tasks_of_aiokafka()

        await line.cut()
        acknowledged, error, refused = await sent(producer, record(settings.topic_events))
        assert (acknowledged, refused) == ([], False)
        assert error is not None
        await producer.close()

    assert tasks_of_aiokafka() == []


async def made(admin, producer, topic, settings):
    """Create a topic, and wait until it can be written."""
    await admin.create_topics([NewTopic(topic, 1, 1, topic_configs=settings)])
    await eventually(lambda: sent(producer, record(topic)), lambda found: not found.error)


async def test_each_failure_is_told_by_its_name_and_only_what_no_retry_changes_is_refused(write_side):
    settings = write_side.settings
    admin, producer = AIOKafkaAdminClient(bootstrap_servers=settings.kafka), RelayProducer(Cluster(settings.kafka), 3.0)
    compacted = f"{settings.topic_events}.compacted"
    await admin.start()
    try:
        await made(admin, producer, compacted, {"cleanup.policy": "compact"})
        expected = {
            record(compacted, key=None): ("InvalidRecordError", True),
            record(settings.topic_events, value=b"x" * 9_000_000): ("MessageSizeTooLargeError", True),
            record(settings.topic_events, headers=(("\ud800", b""),)): ("UnwritableRecordError", True),
            record(f"{settings.topic_events}.missing"): ("UnknownTopicOrPartitionError", False),
            record(settings.topic_events, partition=99): ("AssertionError", False),
        }
        for one, (error, refused) in expected.items():
            assert await sent(producer, one) == ([], error, refused)
            assert await sent(producer, record(compacted)) == ([(1, "an id")], None, False), (
                f"after {error} the next one is written"
            )
        await admin.delete_topics([compacted])
    finally:
        await producer.close()
        await admin.close()


async def test_a_clock_far_ahead_is_not_the_fault_of_a_record_and_does_not_matter_to_our_topics(
    write_side, monkeypatch
):
    settings = write_side.settings
    admin, producer = AIOKafkaAdminClient(bootstrap_servers=settings.kafka), RelayProducer(Cluster(settings.kafka), 3.0)
    theirs = f"{settings.topic_events}.create-time"
    await admin.start()
    try:
        await made(admin, producer, theirs, {"message.timestamp.type": "CreateTime"})
        clock_ahead(monkeypatch)
        assert await sent(producer, record(theirs)) == ([], "InvalidTimestampError", False)
        assert await sent(producer, record(settings.topic_events)) == ([(1, "an id")], None, False)
        await admin.delete_topics([theirs])
    finally:
        await producer.close()
        await admin.close()


async def test_what_was_warmed_waits_for_nothing_but_its_own_answer(write_side, monkeypatch):
    settings = write_side.settings
    before = RelayProducer(Cluster(settings.kafka), 3.0)
    # A new topic has leaders by then.
    assert await sent(before, record(settings.topic_events)) == ([(1, "an id")], None, False)
    await before.close()
    producer, asked = RelayProducer(Cluster(settings.kafka), 3.0), []
    await producer.warm([settings.topic_events])
    assert producer._shared is not None
    warmed = producer._shared.producer
    for name in ("force_metadata_update", "add_topic"):
        monkeypatch.setattr(warmed.client, name, lambda *_, name=name: asked.append(name))
    assert await sent(producer, record(settings.topic_events)) == ([(1, "an id")], None, False)
    assert producer._shared.producer is warmed
    await producer.close()
    assert asked == []


async def test_a_kafka_that_is_away_is_no_reason_not_to_start():
    producer = RelayProducer(Cluster("127.0.0.1:9"), 3.0)
    await producer.warm(["t"])
    with pytest.raises(ProducerUnavailable):
        await producer.ready()


@pytest.mark.parametrize("name", ["plain", "nämé", "漢字", "\x01\x7f", "𝔘"])
def test_a_record_is_never_larger_in_kafka_than_it_was_taken_for(name):
    batch = DefaultRecordBatchBuilder(2, 0, 0, -1, -1, -1, 10**9)
    one = record("t", headers=((name * 1000, b"value"), (name, None)))
    batch.append(0, 0, one.key, one.value, headers=list(one.headers))
    assert len(batch.build()) <= one.size
