"""Dead letters sent back from the command line, through Kafka, to a service that has been mended."""

import json

import pytest
from command_support.bugs import buggy
from command_support.processes import told

from notes_contracts import CreateNote, UpdateNote, parse_id
from tests.harness.kafka_io import Sent, command, header, new_id

BOTH = (CreateNote, UpdateNote)


def ids(records):
    return [header(record, "ce_id") for record in records]


def answers(outcomes):
    """Return the statuses by command id; an outcome that came again must be the same."""
    found = {}
    for record in outcomes:
        data = json.loads(record.value)
        same = found.setdefault(data["command_id"], (header(record, "ce_id"), data))
        assert same == (header(record, "ce_id"), data)
    return {command_id: data["status"] for command_id, (_, data) in found.items()}


async def dead_lettered(write_side, monkeypatch, *records):
    """Publish commands to a service whose handlers are broken; return the letters."""
    with buggy(monkeypatch, *BOTH):
        async with write_side.running():
            await write_side.publish(records)
            return await write_side.dead_letters(len(records))


async def cli(write_side, *words, code=0):
    done = await told(write_side.settings, "dead-letters", *words)
    assert done.code == code, done
    return done


async def redriven(write_side, *words):
    """Redrive, and return the new command ids."""
    done = await cli(write_side, "redrive", "--json", *words)
    return [each["command_id"] for each in json.loads(done.out)["redriven"]]


def structured(create):
    envelope = {"specversion": "1.0", "id": new_id(), "type": "notes.command.create-note.v1", "source": "/s"}
    value = json.dumps({**envelope, "data": json.loads(create.value)}).encode()
    return Sent(create.key, value, [("content-type", b"application/cloudevents+json")])


@pytest.mark.parametrize("mode", ["binary", "structured"])
async def test_redriven_twice_has_one_effect_and_one_outcome(write_side, monkeypatch, mode):
    binary = command(CreateNote(note_id=new_id(), title="Good"))
    record = binary if mode == "binary" else structured(binary)
    await dead_lettered(write_side, monkeypatch, record)
    (first,) = await redriven(write_side, "--reason", "internal")
    (dead_letter,) = json.loads((await cli(write_side, "list", "--state", "redriven", "--json")).out)
    assert await redriven(write_side, dead_letter["id"]) == [first]
    async with write_side.running():
        outcomes = await write_side.outcomes(3)
        sent = await write_side.read(write_side.settings.topic_commands, 3)
        events = await write_side.events(1)
    assert answers(outcomes) == {dead_letter["command_id"]: "failed", first: "accepted"}
    assert [json.loads(event.value)["title"] for event in events] == ["Good"]
    assert [header(event, "ce_causationid") for event in events] == [first]
    assert [header(again, "redrive-of") for again in sent[1:]] == [dead_letter["command_id"]] * 2
    assert {again.partition for again in sent} == {sent[0].partition}
    assert len({(again.key, again.value, tuple(again.headers)) for again in sent[1:]}) == 1
    assert not any(name.startswith("dead-letter-") for name, _ in sent[1].headers)


async def test_what_fails_again_is_another_dead_letter_with_another_next_id(write_side):
    poison = Sent(new_id().encode(), b"{", [("ce_id", new_id().encode()), ("ce_type", b"notes.command.create-note.v1")])
    seen = [poison.headers[0][1].decode()]
    async with write_side.running():
        await write_side.publish([poison])
        for turn in range(1, 3):
            dead_letters = await write_side.dead_letters(turn)
            assert ids(dead_letters) == seen
            seen += await redriven(write_side, "--all")
        dead_letters = await write_side.dead_letters(3)
        outcomes = await write_side.outcomes(3)
    assert answers(outcomes) == dict.fromkeys(seen, "failed")
    assert [header(dead_letter, "redrive-of") for dead_letter in dead_letters] == [None, *seen[:2]]
    for dead_letter in dead_letters:
        names = [name for name, _ in dead_letter.headers]
        assert len(names) == len(set(names)), "replaced, not stacked"
        assert dead_letter.value == b"{"
    assert [header(dead_letter, "dead-letter-offset") for dead_letter in dead_letters] == ["0", "1", "2"]
    rows = await write_side.fetch('SELECT state FROM dead_letters ORDER BY "offset"')
    assert [row[0] for row in rows] == ["redriven", "redriven", "open"]


async def test_a_record_without_an_id_is_given_one(write_side):
    good = command(CreateNote(note_id=new_id(), title="Nobody asked"))
    async with write_side.running():
        nameless = Sent(good.key, good.value, [pair for pair in good.headers if pair[0] != "ce_id"])
        await write_side.publish([nameless])
        (dead_letter,) = await write_side.dead_letters(1)
        (given,) = await redriven(write_side, "--reason", "undecodable")
        outcomes = await write_side.outcomes(1)
    assert header(dead_letter, "dead-letter-code") == "undecodable"
    assert answers(outcomes) == {given: "accepted"}
    assert parse_id(given) == given


async def test_order_is_kept_among_one_notes_dead_letters(write_side, monkeypatch):
    note = new_id()
    writes = [command(CreateNote(note_id=note, title="T", body="0"))]
    writes += [command(UpdateNote(note_id=note, body=f"{n}", expected_version=n)) for n in range(1, 9)]
    await dead_lettered(write_side, monkeypatch, *writes)
    assert len(await redriven(write_side, "--note", note)) == 9
    async with write_side.running() as http:
        events = await write_side.events(9)
        assert (await http.get(f"/notes/{note}")).json()["body"] == "8"
    assert [json.loads(event.value)["version"] for event in events] == list(range(1, 10))


async def test_a_note_changed_since_is_named_and_needs_force(write_side, monkeypatch):
    note = new_id()
    async with write_side.running():
        await write_side.publish([command(CreateNote(note_id=note, title="T"))])
        await write_side.events(1)
    await dead_lettered(write_side, monkeypatch, command(UpdateNote(note_id=note, body="late")))
    async with write_side.running() as http:
        await write_side.publish([command(UpdateNote(note_id=note, body="in time"))])
        await write_side.events(2)
        held = await cli(write_side, "redrive", "--all", code=1)
        assert f"note {note} has changed since, and is at version 2; --force" in held.err
        assert (await http.get(f"/notes/{note}")).json()["body"] == "in time"
        await redriven(write_side, "--note", note, "--force")
        await write_side.events(3)
        assert (await http.get(f"/notes/{note}")).json()["body"] == "late"
