"""What upstreams do to us: transactions, codecs, silence before our first start, retention."""

import json
from uuid import uuid4

import pytest
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete

from notes_contracts import CreateNote
from tests.harness.kafka_io import command, new_id, publish, send
from tests.harness.metrics import shown
from tests.harness.odd_records import publish_with_odd_header_name


def create(note):
    return command(CreateNote(note_id=note, title="T"))


def notes_of(records):
    return {json.loads(record.value)["note_id"] for record in records}


async def test_an_aborted_transaction_is_never_executed_and_the_committed_one_is(write_side):
    aborted, committed, after = new_id(), new_id(), new_id()
    topic = write_side.settings.topic_commands
    upstream = AIOKafkaProducer(bootstrap_servers=write_side.settings.kafka, transactional_id=f"up-{uuid4()}")
    await upstream.start()
    try:
        await upstream.begin_transaction()
        await (await send(upstream, topic, create(aborted)))
        await upstream.abort_transaction()
        async with upstream.transaction():
            await (await send(upstream, topic, create(committed)))
    finally:
        await upstream.stop()
    await write_side.publish([create(after)])
    async with write_side.running():
        outcomes = await write_side.outcomes(2)
    assert notes_of(outcomes) == {committed, after}


async def test_markers_of_transactions_are_holes_and_do_not_stop_the_partition(write_side):
    topic = write_side.settings.topic_commands
    notes = [new_id() for _ in range(6)]
    async with write_side.running():
        for note in notes:
            upstream = AIOKafkaProducer(bootstrap_servers=write_side.settings.kafka, transactional_id=f"up-{uuid4()}")
            await upstream.start()
            async with upstream.transaction():
                record = create(note)
                await upstream.send(topic, record.value, record.key, headers=record.headers, partition=0)
            await upstream.stop()
        outcomes = await write_side.outcomes(len(notes))
    assert notes_of(outcomes) == set(notes)


@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
async def test_every_codec_is_read(write_side, codec):
    note = new_id()
    await write_side.publish([create(note)], compression_type=codec)
    async with write_side.running():
        assert notes_of(await write_side.outcomes(1)) == {note}


async def test_commands_from_before_the_first_start_are_executed(write_side):
    notes = {new_id() for _ in range(50)}
    await write_side.publish(create(note) for note in notes)
    async with write_side.running():
        assert notes_of(await write_side.outcomes(50)) == notes


async def test_a_header_name_that_is_not_utf8_stops_nobody(write_side):
    """The trap: aiokafka raises while it unpacks the batch, for ever, and all partitions stand still."""
    odd, after = new_id(), new_id()
    async with write_side.running():
        await publish_with_odd_header_name(write_side.settings.kafka, write_side.settings.topic_commands, create(odd))
        await write_side.publish([create(after)])
        outcomes = await write_side.outcomes(2)
    assert {json.loads(record.value)["status"] for record in outcomes} == {"accepted"}
    assert notes_of(outcomes) == {odd, after}


async def test_a_header_cannot_make_the_service_write_elsewhere(write_side):
    note, settings = new_id(), write_side.settings
    record = create(note)
    record.headers.append(("reply_to", settings.topic_command_dead_letters.encode()))
    await write_side.publish([record])
    async with write_side.running():
        await write_side.outcomes(1)
        await publish(settings.kafka, settings.topic_command_dead_letters, [create(note)])
        assert len(await write_side.dead_letters(1)) == 1


async def test_commands_lost_by_retention_are_counted(write_side):
    settings = write_side.settings
    first, lost, last = (create(new_id()) for _ in range(3))
    at_zero = [(record.key, record.value, record.headers) for record in (first, lost, last)]
    await write_side.publish([type(first)(*at_zero[0], 0)])
    async with write_side.running():
        await write_side.outcomes(1)
    await write_side.publish([type(first)(*at_zero[1], 0)] * 3)
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    await admin.delete_records({TopicPartition(settings.topic_commands, 0): RecordsToDelete(before_offset=4)})
    await admin.close()
    await write_side.publish([type(first)(*at_zero[2], 0)])
    before = shown("notes_command_lost_records_total")
    async with write_side.running():
        await write_side.outcomes(2)
    assert shown("notes_command_lost_records_total") - before == 3
