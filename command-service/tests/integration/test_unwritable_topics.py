"""A topic that may not be written: it holds up its own records, is named, and heals. One that may not be read waits."""

import asyncio
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from notes_command.outbox import backlog
from notes_contracts import CreateNote, RenameNote, UpdateNote, partition_of
from tests.harness.access import EVERYTHING, GROUP, READ, TOPIC, WRITE, allow, forbid
from tests.harness.kafka_io import Sent, command, header, new_id
from tests.harness.waiting import eventually

POISON = Sent(b"a key", b"{", [("ce_type", b"notes.command.create-note.v1")])
NOT_ALLOWED = "TopicAuthorizationFailedError"
SPOILT = {"writing": NOT_ALLOWED, "everything": NOT_ALLOWED}
spoilt = pytest.mark.parametrize("how", SPOILT)


@pytest.fixture(scope="session")
def servers(servers, guarded_kafka):
    return replace(servers, kafka=guarded_kafka)


@asynccontextmanager
async def spoiling(kafka, topic, how):
    """Make a topic unwritable until the block is left."""
    await forbid(kafka, topic, WRITE if how == "writing" else EVERYTHING)
    try:
        yield
    finally:
        await allow(kafka, topic)


async def part(http, name):
    answer = await http.get("/readyz")
    assert answer.status_code == 200, "a command is taken all the same"
    return answer.json()["parts"].get(name, {})


async def told(http, name, *words):
    async with asyncio.timeout(40):
        while True:
            reason = (await part(http, name)).get("reason", "")
            if all(word in reason for word in words):
                return
            await asyncio.sleep(0.1)


async def healthy(http, *names):
    for name in names:
        await eventually(lambda: part(http, name), lambda found: found.get("ok"), within_s=40)


async def named(http, log, topic, partition, error):
    """Wait until readiness names the destination; the metric and the log have named it by then."""
    await told(http, "relay", f"{topic} partition {partition}", error)
    labels = f'error="{error}",partition="{partition}",topic="{topic}"'
    assert f"notes_command_relay_unwritable{{{labels}}} 1.0" in (await http.get("/metrics")).text
    (line,) = [one for one in log if one["event"] == "destination cannot be written, trying again"]
    assert (line["topic"], line["partition"], line["error"]) == (topic, partition, error)


def note_elsewhere(note):
    return next(one for one in iter(new_id, None) if partition_of(one.encode(), 12) != partition_of(note.encode(), 12))


@spoilt
async def test_events_that_cannot_be_written_hold_up_their_own_partition(write_side, how):
    settings, note = write_side.settings, new_id()
    other = note_elsewhere(note)
    with capture_logs() as log:
        async with write_side.running() as http:
            async with spoiling(settings.kafka, settings.topic_events, how):
                await write_side.publish([command(CreateNote(note_id=note, title="T"))])
                assert len(await write_side.outcomes(1)) == 1
                await named(http, log, settings.topic_events, partition_of(note.encode(), 12), SPOILT[how])
                await write_side.publish(
                    [command(CreateNote(note_id=other, title="T")), command(UpdateNote(note_id=note, body="2")), POISON]
                )
                assert len(await write_side.outcomes(3)) == 3, "outcomes go another way"
                await write_side.dead_letters(1)
            found = [header(event, "ce_sequence") for event in await write_side.events(3) if event.key.decode() == note]
            assert found == ["1", "2"]
            await healthy(http, "relay", "outbox")
            assert f'topic="{settings.topic_events}"}} 1.0' not in (await http.get("/metrics")).text
    assert [one for one in log if one["event"] == "destination is written again"]


@spoilt
async def test_outcomes_that_cannot_be_written_hold_up_no_event(write_side, how):
    settings, note = write_side.settings, new_id()
    with capture_logs() as log:
        async with write_side.running() as http:
            async with spoiling(settings.kafka, settings.topic_outcomes, how):
                await write_side.publish([command(CreateNote(note_id=note, title="T"))])
                await named(http, log, settings.topic_outcomes, partition_of(note.encode(), 12), SPOILT[how])
                await write_side.publish([command(RenameNote(note_id=note, title="U")), POISON])
                assert len(await write_side.events(2)) == 2
                await write_side.dead_letters(1)
            assert [header(one, "ce_sequence") for one in await write_side.outcomes(2)] == ["1", "2"]
            await healthy(http, "relay", "outbox")


@spoilt
async def test_dead_letters_that_cannot_be_written_hold_up_nobody(write_side, how, monkeypatch):
    monkeypatch.setattr(backlog, "OVERDUE_S", 1.0)
    monkeypatch.setattr(backlog, "POLL_S", 0.1)
    settings, note = write_side.settings, new_id()
    dead_letters = settings.topic_command_dead_letters
    with capture_logs() as log:
        async with write_side.running() as http:
            async with spoiling(settings.kafka, dead_letters, how):
                await write_side.publish([POISON])
                await named(http, log, dead_letters, 0, SPOILT[how])
                await told(http, "outbox", "s old")
                await write_side.publish([command(CreateNote(note_id=note, title="T"))])
                assert len(await write_side.events(1)) == len(await write_side.outcomes(1)) == 1
            (dead_letter,) = await write_side.dead_letters(1)
            assert header(dead_letter, "dead-letter-code") == "undecodable"
            await healthy(http, "relay", "outbox")


@pytest.mark.parametrize("what", ["records", "topic", "group"])
async def test_commands_that_may_not_be_read_are_said_to_be_and_wait(write_side, what):
    settings, first, second = write_side.settings, new_id(), new_id()
    name = settings.command_group if what == "group" else settings.topic_commands
    kind = GROUP if what == "group" else TOPIC
    with capture_logs() as log:
        async with write_side.running() as http:
            await write_side.publish([command(CreateNote(note_id=first, title="T"))])
            assert len(await write_side.outcomes(1)) == 1
            await forbid(settings.kafka, name, EVERYTHING if what == "topic" else READ, kind)
            if what != "topic":
                await write_side.publish([command(CreateNote(note_id=second, title="T"))])
            await eventually(
                lambda: readiness(http), lambda found: name in str(found["consumer"].get("reason")), within_s=40
            )
            assert any(name in str(one.get("reason")) for one in log if one["log_level"] in {"warning", "error"})
            await allow(settings.kafka, name, kind)
            if what == "topic":
                await write_side.publish([command(CreateNote(note_id=second, title="T"))])
            assert {one.key.decode() for one in await write_side.events(2)} == {first, second}
            await healthy(http, "consumer")


async def readiness(http):
    return (await http.get("/readyz")).json()["parts"]
