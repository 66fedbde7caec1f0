"""A dead letter that its topic does not take: parked, seen, and sent when the topic has been enlarged."""

import asyncio
import json

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from command_support.processes import told

from notes_contracts import CreateNote, UpdateNote
from tests.harness.kafka_io import Sent, command, header, new_id

SMALL, LARGE = 20_000, 16 * 1024 * 1024


async def limit(write_side, size, topic=None):
    admin = AIOKafkaAdminClient(bootstrap_servers=write_side.settings.kafka)
    await admin.start()
    try:
        topic = topic or write_side.settings.topic_command_dead_letters
        await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"max.message.bytes": str(size)})])
    finally:
        await admin.close()


def poison(note, body):
    return Sent(note.encode(), body, [("ce_id", new_id().encode()), ("ce_type", b"notes.command.create-note.v1")])


async def test_parked_while_the_rest_flows_and_sent_once_the_topic_is_larger(write_side):
    await limit(write_side, SMALL)
    note, other = new_id(), new_id()
    large, behind, small = poison(note, b"{" * 2 * SMALL), poison(note, b"{behind"), poison(other, b"{small")
    good = command(CreateNote(note_id=note, title="T"))
    async with write_side.running() as http:
        await write_side.publish([large, behind, small, good])
        (arrived,) = await write_side.dead_letters(1)
        assert arrived.value == b"{small", "the dead letter of another note"
        statuses = [json.loads(record.value)["status"] for record in await write_side.outcomes(4)]
        assert sorted(statuses) == ["accepted", "failed", "failed", "failed"], (
            "answers do not wait for the dead_letters"
        )
        assert len(await write_side.events(1)) == 1, "nor does the note itself"

        shown = await parked(write_side, 2)
        assert [row["aggregateid"] for row in shown["rows"]] == [note, note]
        assert "MessageSizeTooLarge" in shown["rows"][0]["reason"]
        assert shown["rows"][1]["reason"] == "an earlier record of this note is parked"
        table = (await told(write_side.settings, "outbox")).out
        assert "parked 2" in table
        assert note in table

        assert (await told(write_side.settings, "outbox", "--unpark", other)).code == 1
        await limit(write_side, LARGE)
        done = await told(write_side.settings, "outbox", "--unpark", note.upper())
        assert (done.code, done.out) == (0, f"2 records of {note} sent, in order\n")
        dead_letters = await write_side.dead_letters(3)
        assert [dead_letter.value for dead_letter in dead_letters] == [small.value, large.value, behind.value]
        assert header(dead_letters[1], "dead-letter-code") == "undecodable"

        await write_side.publish([poison(note, b"{later")])
        assert [dead_letter.value for dead_letter in await write_side.dead_letters(4)][3:] == [b"{later"], (
            "nothing stays blocked"
        )
        assert (await http.get("/readyz")).status_code == 200
        assert (await parked(write_side, 0))["rows"] == []


async def test_unparked_too_early_it_is_parked_again_in_order(write_side):
    await limit(write_side, SMALL)
    note = new_id()
    large, behind = poison(note, b"{" * 2 * SMALL), poison(note, b"{behind")
    async with write_side.running():
        await write_side.publish([large, behind])
        await parked(write_side, 2)
        done = await told(write_side.settings, "outbox", "--unpark", note)
        assert (done.code, "2 records parked again: Kafka refuses it: MessageSizeTooLargeError" in done.out) == (
            1,
            True,
        )
        await parked(write_side, 2)
        await limit(write_side, LARGE)
        assert (await told(write_side.settings, "outbox", "--unpark", note)).code == 0
        assert [dead_letter.value for dead_letter in await write_side.dead_letters(2)] == [large.value, behind.value]


async def test_a_snapshot_takes_the_place_of_the_events_that_are_parked_and_a_drop_lets_later_ones_go(write_side):
    note, other = new_id(), new_id()
    async with write_side.running() as http:
        await limit(write_side, SMALL, write_side.settings.topic_events)
        for one in (note, other):
            create = CreateNote(note_id=one, title="T", body="x" * 2 * SMALL)
            await write_side.publish([command(create), command(UpdateNote(note_id=one, body="small"))])
        await write_side.outcomes(4)
        await parked(write_side, 4)
        assert (await http.post("/admin/republish", json={"note_id": note})).status_code == 202
        (snapshot,) = await write_side.events(1)
        assert (header(snapshot, "ce_type"), header(snapshot, "ce_sequence")) == (
            "notes.event.note-snapshotted.v1",
            "2",
        )
        await parked(write_side, 2)

        assert (await told(write_side.settings, "outbox", "--drop", note)).code == 1
        done = await told(write_side.settings, "outbox", "--drop", other.upper())
        assert (done.code, "2 records" in done.out) == (0, True)
        await parked(write_side, 0)
        await write_side.publish([command(UpdateNote(note_id=one, body="later")) for one in (note, other)])
        there = {(event.key.decode(), header(event, "ce_sequence")) for event in await write_side.events(3)}
        assert there == {(note, "2"), (note, "3"), (other, "3")}


async def parked(write_side, count):
    """Return what `outbox` shows once so many rows are parked, and nothing else waits."""
    async with asyncio.timeout(90):
        while True:
            shown = json.loads((await told(write_side.settings, "outbox", "--json")).out)
            if (shown["waiting"], shown["parked"]) == (0, count):
                return shown
