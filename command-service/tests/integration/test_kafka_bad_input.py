"""Every kind of bad record, through a real broker in one poll: each gets what `bad_records.py` says."""

import asyncio
import json
import time
from contextlib import suppress
from dataclasses import replace

import pytest
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import MessageSizeTooLargeError
from command_support.bad_records import INVALID, NO_COMMAND_ID, UNDECODABLE
from command_support.kafka_records import COMMAND_ID, CREATE, UPDATE

from notes_chassis.kafka import decompression
from notes_chassis.unread import CORRUPT, CUT, KEY_KEPT, TOO_LARGE, UNREAD
from notes_command.pipeline.process import BatchProcessor
from notes_contracts import CreateNote
from tests.harness.kafka_io import Sent, command, header, new_id
from tests.harness.raw_batches import body_of, checked_lz4, put_batch, sealed

MIB = 1024 * 1024
LARGE = 5 * MIB


def sent(bad, command_id):
    """Return the record under a command id of its own; on one partition with all others, so that one poll has all."""

    def under_it(text):
        for old, new in ((COMMAND_ID, command_id), (COMMAND_ID.upper(), command_id.upper())):
            text = text and text.replace(old.encode(), new.encode())
        return text

    headers = [(name, under_it(value)) for name, value in bad.headers]
    return Sent(bad.key, under_it(bad.value), headers, partition=7)


def create(note_id):
    return replace(command(CreateNote(note_id=note_id, title="Untouched"), note_id), partition=7)


def update(value, note_id, command_id):
    headers = [("ce_id", command_id.encode()), ("ce_type", UPDATE.encode())]
    return Sent(note_id.encode(), value, headers, partition=7)


@pytest.fixture
def polls(monkeypatch):
    """Give the sizes of the batches that were processed."""
    sizes, process = [], BatchProcessor.process

    async def counted(self, batch):
        sizes.append(len(batch))
        return await process(self, batch)

    monkeypatch.setattr(BatchProcessor, "process", counted)
    return sizes


async def test_every_bad_record_gets_what_the_table_says_and_costs_no_other(write_side, polls):
    first, last = new_id(), new_id()
    unnamed = [sent(bad, new_id()) for bad in NO_COMMAND_ID.values()]
    failing = {id_: sent(bad, id_) for bad in UNDECODABLE.values() if (id_ := new_id())}
    wrong = {id_: (sent(bad, id_), fields) for bad, fields in INVALID.values() if (id_ := new_id())}
    records = [create(first), *unnamed, *failing.values(), *(record for record, _ in wrong.values()), create(last)]
    await write_side.publish(records)
    async with write_side.running():
        outcomes = {command_of(record): record for record in await write_side.outcomes(len(failing) + len(wrong) + 2)}
        dead_letters = await write_side.dead_letters(len(unnamed) + len(failing))
        events = await write_side.events(2)

    assert polls[0] == len(records)
    assert {event.key.decode() for event in events} == {first, last}
    assert set(outcomes) == {first, last, *failing, *wrong}
    for command_id in failing:
        assert said(outcomes[command_id])[:2] == ("failed", "undecodable")
    for command_id, (_, fields) in wrong.items():
        status, code, message = said(outcomes[command_id])
        assert (status, code) == ("rejected", "invalid")
        assert [part.split(":")[0] for part in message.split("; ")] == fields
    for command_id in (first, last):
        assert said(outcomes[command_id])[:2] == ("accepted", None)
    for dead_letter, record in zip(dead_letters, [*unnamed, *failing.values()], strict=True):
        assert (dead_letter.key, dead_letter.value) == (record.key, record.value)
        assert list(dead_letter.headers[: len(record.headers)]) == record.headers
        assert header(dead_letter, "dead-letter-code") == "undecodable"


async def test_a_record_of_five_megabytes_is_refused_by_the_broker(write_side):
    with pytest.raises(MessageSizeTooLargeError):
        await write_side.publish([update(b"x" * LARGE, new_id(), new_id())])


async def test_where_the_broker_takes_five_megabytes_they_are_answered_and_kept_whole(write_side):
    """Another team may have raised the topic's limit; the record must not stand in the way of its partition."""
    await allow(write_side.settings.kafka, write_side.settings.topic_commands, 2 * LARGE)
    note, too_long, truncated, last = (new_id() for _ in range(4))
    body = b'{"note_id":"%s","body":"%s"}' % (note.encode(), b"x" * LARGE)
    await write_side.publish([create(note)])
    await publish_once_allowed(write_side, update(body, note, too_long))
    await write_side.publish([update(body[:-1], note, truncated), create(last)])
    async with write_side.running():
        outcomes = {command_of(record): record for record in await write_side.outcomes(4)}
        (dead_letter,) = await write_side.dead_letters(1)
    assert said(outcomes[too_long]) == ("rejected", "invalid", "body: String should have at most 100000 characters")
    assert said(outcomes[truncated])[:2] == ("failed", "undecodable")
    assert said(outcomes[last])[0] == "accepted"
    assert (dead_letter.key, dead_letter.value == body[:-1]) == (note.encode(), True)


async def test_forty_records_that_hold_far_more_than_they_weigh_hold_up_nobody(write_side):
    """80 MB in 120 kB of gzip, on one partition; the others, probes and the group's heartbeat go on."""
    bad = json.dumps({"note_id": (note := new_id()), "title": "T", "tags": ["!?+"] * 300_000}).encode()
    hostile = [
        replace(update(bad, note, new_id()), headers=[("ce_id", new_id().encode()), ("ce_type", CREATE.encode())])
        for _ in range(40)
    ]
    good = new_id()
    await write_side.publish(hostile, compression_type="gzip", max_batch_size=100 * 1024 * 1024)
    await write_side.publish([replace(create(good), partition=3)])
    async with write_side.running() as client:
        longest = asyncio.create_task(longest_silence(client))
        await write_side.read_until(write_side.settings.topic_events, lambda found: keys(found) == {good})
        outcomes = await write_side.outcomes(len(hostile) + 1)
        longest.cancel()
        (silence,) = await asyncio.gather(longest)
    refused = [said(record) for record in outcomes if record.key.decode() != good]
    assert {(status, code) for status, code, _ in refused} == {("rejected", "invalid")}
    assert all(len(message) < 3_000 for _, _, message in refused)
    assert silence < 2.0


async def test_records_behind_the_limit_of_a_batch_are_dead_letters_and_hold_up_nobody(write_side, monkeypatch):
    """Three records of 3 MB in one batch in zstd, of which 5 MiB may be decompressed."""
    monkeypatch.setattr(decompression, "UNREADABLE", LARGE)
    ids = [new_id() for _ in range(3)]
    large = [update(b"x" * 3_000_000, new_id(), command_id) for command_id in ids]
    await write_side.publish(large, compression_type="zstd", max_batch_size=100 * 1024 * 1024)
    await write_side.publish([create(good := new_id())])
    async with write_side.running():
        dead_letters = await write_side.dead_letters(3)
        await write_side.read_until(write_side.settings.topic_events, lambda found: keys(found) == {good})
    found = [(header(one, "dead-letter-offset"), header(one, "dead-letter-code"), one.value) for one in dead_letters]
    assert found == [("0", "undecodable", large[0].value), ("1", "undecodable", None), ("2", "undecodable", None)]
    assert [header(one, "dead-letter-reason") for one in dead_letters[1:]] == [TOO_LARGE.decode()] * 2


async def test_a_batch_that_cannot_be_read_becomes_dead_letters_and_holds_up_nobody(write_side):
    """In lz4 with a wrong checksum, which the broker does not look at."""
    packed = checked_lz4(body_of(2))[:-1] + b"x"
    await write_side.publish([create(first := new_id())])
    await put_batch(write_side.settings.kafka, write_side.settings.topic_commands, 7, sealed(packed, 2, 3, base=0))
    await write_side.publish([create(last := new_id())])
    async with write_side.running():
        dead_letters = await write_side.dead_letters(2)
        await write_side.read_until(write_side.settings.topic_events, lambda found: keys(found) == {first, last})
    found = [[header(one, f"dead-letter-{name}") for name in ("offset", "code", "reason")] for one in dead_letters]
    assert found == [[offset, "undecodable", CORRUPT.decode()] for offset in ("1", "2")]


async def test_a_key_and_headers_that_compression_has_made_small_are_cut_and_the_dead_letter_arrives(write_side):
    """17 MiB of key and headers in 17 kB: more than the topic of dead letters takes."""
    large = ("large", b"x" * 8 * MIB)
    hostile = replace(update(b"{", new_id(), new_id()), key=b"k" * 9 * MIB, headers=[large, ("ce_type", b"t")])
    await write_side.publish([hostile], compression_type="gzip", max_batch_size=100 * MIB)
    await write_side.publish([create(good := new_id())])
    async with write_side.running():
        await write_side.read_until(write_side.settings.topic_events, lambda found: keys(found) == {good})
        (dead_letter,) = await write_side.dead_letters(1)
    assert (header(dead_letter, "dead-letter-code"), header(dead_letter, UNREAD)) == ("undecodable", CUT.decode())
    assert header(dead_letter, "dead-letter-reason") == CUT.decode()
    assert (dead_letter.value, dead_letter.key == b"k" * KEY_KEPT) == (b"{", True)


async def longest_silence(client):
    """Return the longest time, until cancelled, that the process took to answer that it lives."""
    longest, asked = 0.0, time.monotonic()
    with suppress(asyncio.CancelledError):
        while True:
            assert (await client.get("/livez")).status_code == 200
            longest, asked = max(longest, time.monotonic() - asked), time.monotonic()
            await asyncio.sleep(0.01)
    return longest


def keys(records):
    return {record.key.decode() for record in records}


async def allow(address, topic, size):
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        wanted = ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(size)})
        for answer in await admin.alter_configs([wanted]):
            assert [resource[0] for resource in answer.resources] == [0], answer
    finally:
        await admin.close()


async def publish_once_allowed(write_side, record):
    """Publish; the broker says yes to a new limit before it keeps to it."""
    async with asyncio.timeout(30):
        while True:
            with suppress(MessageSizeTooLargeError):
                return await write_side.publish([record])


def command_of(record):
    data = json.loads(record.value)
    assert record.key.decode() == (data["note_id"] or data["command_id"])
    return data["command_id"]


def said(record):
    data = json.loads(record.value)
    error = data["error"] or {"code": None, "message": None}
    return data["status"], error["code"], error["message"]
