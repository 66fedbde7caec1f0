"""A topic that is missing, or refuses a record: it holds up its own records, is named, and heals with the topic."""

import asyncio
from contextlib import asynccontextmanager

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from notes_command.gateway import command_topic
from notes_command.outbox import backlog
from notes_contracts import CreateNote, UpdateNote, partition_of
from tests.harness.clock_ahead import clock_ahead
from tests.harness.kafka_io import Sent, command, header, new_id
from tests.harness.waiting import eventually

POISON = Sent(None, b"{", [("ce_type", b"notes.command.create-note.v1")])


@asynccontextmanager
async def administered(write_side):
    admin = AIOKafkaAdminClient(bootstrap_servers=write_side.settings.kafka)
    await admin.start()
    try:
        yield admin
    finally:
        await admin.close()


async def removed(admin, topic):
    await admin.delete_topics([topic])
    await eventually(admin.list_topics, lambda found: topic not in found)


async def part(http, name):
    answer = await http.get("/readyz")
    assert answer.status_code == 200, "a command is taken all the same"
    return answer.json()["parts"].get(name, {})


async def named(http, *words):
    """Wait until readiness says so of the relay."""
    async with asyncio.timeout(30):
        while True:
            reason = (await part(http, "relay")).get("reason", "")
            if all(word in reason for word in words):
                return
            await asyncio.sleep(0.1)


async def healthy(http, name):
    await eventually(lambda: part(http, name), lambda found: found.get("ok"))


async def test_a_dead_letter_topic_that_is_missing_stops_nobody_and_heals(write_side, monkeypatch):
    monkeypatch.setattr(backlog, "OVERDUE_S", 1.0)
    dead_letters = write_side.settings.topic_command_dead_letters
    async with administered(write_side) as admin, write_side.running() as http:
        await removed(admin, dead_letters)
        await write_side.publish([POISON])
        await named(http, f"{dead_letters} partition 0", "UnknownTopicOrPartitionError")
        labels = f'error="UnknownTopicOrPartitionError",partition="0",topic="{dead_letters}"'
        assert f"notes_command_relay_unwritable{{{labels}}} 1.0" in (await http.get("/metrics")).text
        await eventually(lambda: part(http, "outbox"), lambda found: not found.get("ok", True))
        await write_side.publish([command(CreateNote(note_id=new_id(), title="T")) for _ in range(50)])
        assert len(await write_side.events(50)) == 50
        assert dead_letters in (await part(http, "relay"))["reason"], "nobody waited for the dead letter"
        assert "; commands of" not in (await part(http, "outbox"))["reason"]

        await admin.create_topics([NewTopic(dead_letters, 1, 1)])
        (dead_letter,) = await write_side.dead_letters(1)
        assert header(dead_letter, "dead-letter-code") == "undecodable"
        await healthy(http, "relay")
        await healthy(http, "outbox")


async def test_a_dead_letter_topic_that_was_made_compacted_parks_dead_letters_without_a_key(write_side):
    dead_letters = write_side.settings.topic_command_dead_letters
    async with administered(write_side) as admin, write_side.running() as http:
        await removed(admin, dead_letters)
        await admin.create_topics([NewTopic(dead_letters, 1, 1, topic_configs={"cleanup.policy": "compact"})])
        keyed = Sent(b"a key", b"{", POISON.headers)
        await write_side.publish([POISON, keyed, command(CreateNote(note_id=new_id(), title="T"))])
        assert [dead_letter.key for dead_letter in await write_side.dead_letters(1)] == [b"a key"]
        await write_side.events(1)
        rows = await eventually(
            lambda: write_side.fetch("SELECT parked_because FROM outbox"), lambda found: len(found) == 1
        )
        assert rows[0][0] == "Kafka refuses it: InvalidRecordError"
        await healthy(http, "relay")


async def test_events_that_are_refused_for_our_clock_wait_and_are_sent_once_the_topic_has_its_own(
    write_side, monkeypatch
):
    events, note = write_side.settings.topic_events, new_id()

    async def stamped(admin, by):
        config = ConfigResource(ConfigResourceType.TOPIC, events, {"message.timestamp.type": by})
        (answer,) = await admin.alter_configs([config])
        assert not answer.resources[0][0]

    async with administered(write_side) as admin, write_side.running() as http:
        await stamped(admin, "CreateTime")
        clock_ahead(monkeypatch)
        await write_side.publish(
            [command(CreateNote(note_id=note, title="T")), command(UpdateNote(note_id=note, body="1"))]
        )
        await named(http, events, "InvalidTimestampError")
        assert len(await write_side.outcomes(2)) == 2, "outcomes go another way"
        rows = await write_side.fetch("SELECT parked_because FROM outbox")
        assert [row[0] for row in rows] == [None, None]

        await stamped(admin, "LogAppendTime")
        assert [header(event, "ce_sequence") for event in await write_side.events(2)] == ["1", "2"]
        await healthy(http, "relay")


async def test_events_that_cannot_be_written_hold_up_the_commands_of_their_partitions_and_heal_in_order(
    write_side, monkeypatch
):
    monkeypatch.setattr(backlog, "OVERDUE_S", 1.0)
    monkeypatch.setattr(backlog, "POLL_S", 0.1)
    events, note = write_side.settings.topic_events, new_id()
    other = next(one for one in iter(new_id, None) if partition_of(one.encode(), 12) != partition_of(note.encode(), 12))
    async with administered(write_side) as admin, write_side.running() as http:
        await removed(admin, events)
        await write_side.publish(
            [command(CreateNote(note_id=note, title="T")), command(UpdateNote(note_id=note, body="1"))]
        )
        assert len(await write_side.outcomes(2)) == 2, "outcomes go another way"
        await named(http, events, "UnknownTopicOrPartitionError")
        await eventually(lambda: part(http, "outbox"), lambda found: "wait" in found.get("reason", ""))
        await write_side.publish(
            [command(UpdateNote(note_id=note, body="2")), command(CreateNote(note_id=other, title="T"))]
        )
        # Of several partitions, which come in any order.
        assert sorted(one.key.decode() for one in await write_side.outcomes(3)) == sorted([note, note, other])

        await admin.create_topics([NewTopic(events, 12, 1)])
        assert len(await write_side.outcomes(4)) == 4
        found = [header(event, "ce_sequence") for event in await write_side.events(4) if event.key.decode() == note]
        assert found == ["1", "2", "3"]
        await healthy(http, "relay")
        await healthy(http, "outbox")


async def test_a_command_is_answered_at_once_where_its_topic_is_missing_or_takes_no_record_of_that_size(
    write_side, monkeypatch
):
    # Who waited until the time for an answer is over would not be answered within that of this test.
    monkeypatch.setattr(command_topic, "SEND_S", 300.0)
    monkeypatch.setattr(command_topic, "ANSWER_S", 300.0)
    commands, body = write_side.settings.topic_commands, {"title": "T", "body": "x" * 50_000}
    async with administered(write_side) as admin, write_side.running() as http:
        small = ConfigResource(ConfigResourceType.TOPIC, commands, {"max.message.bytes": "20000"})
        await admin.alter_configs([small])
        refused = await eventually(
            lambda: http.post("/commands/create-note", json=body), lambda found: found.status_code != 202
        )
        assert (refused.status_code, refused.json()["code"]) == (413, "too_large")
        assert (await http.post("/commands/create-note", json={"title": "T"})).status_code == 202

        await removed(admin, commands)
        for _ in range(3):
            refused = await http.post("/commands/create-note", json={"title": "T"})
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert "UnknownTopicOrPartitionError" in refused.json()["detail"]
            assert refused.headers["retry-after"]
        assert (await http.get("/readyz")).status_code == 503
        await admin.create_topics([NewTopic(commands, 12, 1)])
        await eventually(
            lambda: http.post("/commands/create-note", json={"title": "T"}), lambda found: found.status_code == 202
        )
        assert (await http.get("/readyz")).json()["parts"]["kafka"]["ok"]
