"""Killed with SIGKILL on a dead letter's way out and back; restarted, checked from outside."""

import json

import pytest
from command_support.bugs import buggy
from command_support.processes import killed_at, serving, told

from notes_contracts import CreateNote
from tests.harness.kafka_io import Sent, command, header, new_id
from tests.harness.waiting import eventually

DEAD_LETTERS = "notes_command.dead_letters.store:PostgresDeadLetters"
OUTBOX = "notes_command.outbox.store:PostgresOutbox"
BROKER = "notes_command.outbox.producer:RelayProducer"


def poison():
    return Sent(new_id().encode(), b"{", [("ce_id", new_id().encode()), ("ce_type", b"notes.command.create-note.v1")])


async def until_sent(write_side):
    """Return once the outbox is empty: what is in the topics by then is all there will be."""
    await eventually(lambda: rows(write_side), lambda found: not found, within_s=60)


async def rows(write_side):
    return (await write_side.fetch("SELECT count(*) FROM outbox"))[0][0]


@pytest.mark.parametrize(
    ("place", "when", "times"),
    [
        (f"{BROKER}.send", "before", 1),
        (f"{OUTBOX}.delete", "before", 2),  # it had arrived: a repeat, the same in every byte
    ],
)
async def test_a_dead_letter_arrives_though_its_sender_was_killed_after_the_commit(write_side, place, when, times):
    await write_side.publish([poison()])
    await killed_at(write_side.settings, place, when)
    assert [row[0] for row in await write_side.fetch("SELECT state FROM dead_letters")] == ["open"]
    async with serving(write_side.settings):
        await write_side.dead_letters(times)
        await until_sent(write_side)
    dead_letters = await write_side.dead_letters(times)
    assert len(dead_letters) == times
    assert len({(dead_letter.key, dead_letter.value, tuple(dead_letter.headers)) for dead_letter in dead_letters}) == 1


async def dead_lettered(write_side, monkeypatch):
    record = command(CreateNote(note_id=new_id(), title="Good"))
    with buggy(monkeypatch, CreateNote):
        async with write_side.running():
            await write_side.publish([record])
            await write_side.dead_letters(1)
            await until_sent(write_side)
    return record


async def accepted_once(write_side, monkeypatch):
    """Serve, and check that the redriven command had one effect."""
    async with serving(write_side.settings):
        await write_side.events(1)
        await write_side.read_until(
            write_side.settings.topic_outcomes, lambda found: any(b'"accepted"' in record.value for record in found)
        )
        await until_sent(write_side)
    events = await write_side.events(1)
    assert len({header(event, "ce_id") for event in events}) == 1
    outcomes = await write_side.outcomes(2)
    accepted = [record for record in outcomes if json.loads(record.value)["status"] == "accepted"]
    assert len({header(record, "ce_id") for record in accepted}) == 1
    assert [row[0] for row in await write_side.fetch("SELECT version FROM notes")] == [1]
    assert [row[0] for row in await write_side.fetch("SELECT state FROM dead_letters")] == ["redriven"]


async def test_a_redrive_killed_before_its_commit_has_done_nothing(write_side, monkeypatch):
    await dead_lettered(write_side, monkeypatch)
    await killed_at(write_side.settings, f"{DEAD_LETTERS}._to_outbox", "after", "dead-letters", "redrive", "--all")
    assert [row[0] for row in await write_side.fetch("SELECT state FROM dead_letters")] == ["open"]
    assert await rows(write_side) == 0
    assert (await told(write_side.settings, "dead-letters", "redrive", "--all")).code == 0
    await accepted_once(write_side, monkeypatch)


async def test_a_redrive_killed_after_its_commit_is_done_and_may_be_repeated(write_side, monkeypatch):
    await dead_lettered(write_side, monkeypatch)
    await killed_at(write_side.settings, f"{DEAD_LETTERS}.redrive", "after", "dead-letters", "redrive", "--all")
    listed = await told(write_side.settings, "dead-letters", "list", "--state", "redriven", "--json")
    (dead_letter,) = json.loads(listed.out)
    assert (await told(write_side.settings, "dead-letters", "redrive", dead_letter["id"])).code == 0
    assert await rows(write_side) == 2
    await accepted_once(write_side, monkeypatch)


@pytest.mark.parametrize("place", [f"{BROKER}.send", f"{OUTBOX}.delete"])
async def test_a_redriven_command_arrives_though_its_sender_was_killed(write_side, monkeypatch, place):
    await dead_lettered(write_side, monkeypatch)
    assert (await told(write_side.settings, "dead-letters", "redrive", "--all")).code == 0
    await killed_at(write_side.settings, place, "before")
    await accepted_once(write_side, monkeypatch)
