"""One poll with everything in it, and the same command more than once."""

import json

from notes_contracts import CreateNote, UpdateNote
from tests.harness.kafka_io import Sent, command, header, new_id


def outcome_of(records, command_id):
    found = [json.loads(record.value) for record in records if json.loads(record.value)["command_id"] == command_id]
    assert found, f"no outcome of {command_id}"
    return found


async def test_good_duplicate_rejected_and_undecodable_records_in_one_poll(write_side):
    note, absent = new_id(), new_id()
    create, repeated, conflict, invalid, broken, unknown = (new_id() for _ in range(6))
    good = command(CreateNote(note_id=note, title="HeldBack"), create)
    records = [
        good,
        command(UpdateNote(note_id=note, body="two"), repeated),
        command(UpdateNote(note_id=note, body="two"), repeated),
        command(UpdateNote(note_id=note, body="three", expected_version=1), conflict),
        Sent(
            note.encode(),
            b'{"note_id": 7}',
            [("ce_id", invalid.encode()), ("ce_type", b"notes.command.update-note.v1")],
        ),
        Sent(note.encode(), b'{"note_id"', [("ce_id", broken.encode()), ("ce_type", b"notes.command.update-note.v1")]),
        Sent(absent.encode(), b"{}", [("ce_id", unknown.encode()), ("ce_type", b"notes.command.shred-note.v1")]),
        Sent(note.encode(), b"no id at all \xff", [("x", None), ("y", b"\xff"), ("y", b"again")]),
    ]
    await write_side.publish(records)
    async with write_side.running():
        outcomes = await write_side.outcomes(7)
        events = await write_side.events(2)
        dead_letters = await write_side.dead_letters(3)

    assert [json.loads(event.value)["version"] for event in events] == [1, 2]
    assert outcome_of(outcomes, create)[0]["status"] == "accepted"
    first, again = outcome_of(outcomes, repeated)
    assert first == again
    assert first["version"] == 2
    assert outcome_of(outcomes, conflict)[0]["error"]["code"] == "version_conflict"
    (rejected,) = outcome_of(outcomes, invalid)
    assert (rejected["status"], rejected["error"]["code"], rejected["digest"]) == ("rejected", "invalid", None)
    assert "note_id" in rejected["error"]["message"]
    assert "body" in rejected["error"]["message"]
    for failed in (broken, unknown):
        (outcome,) = outcome_of(outcomes, failed)
        assert (outcome["status"], outcome["error"]["code"]) == ("failed", "undecodable")
    assert outcome_of(outcomes, broken)[0]["note_id"] == note  # the key's, since the data has none

    by_value = {dead_letter.value: dead_letter for dead_letter in dead_letters}
    assert set(by_value) == {b'{"note_id"', b"{}", b"no id at all \xff"}
    whole = by_value[b"no id at all \xff"]
    assert whole.key == note.encode()
    assert list(whole.headers[:3]) == [("x", None), ("y", b"\xff"), ("y", b"again")]
    assert header(whole, "dead-letter-code") == "undecodable"
    assert header(whole, "dead-letter-topic") == write_side.settings.topic_commands
    (row,) = await write_side.fetch("SELECT version, body FROM notes WHERE id = $1", note)
    assert tuple(row) == (2, "two")


async def test_a_record_without_key_and_value_is_dead_lettered_as_it_is(write_side):
    await write_side.publish([Sent(None, None, [("ce_id", b"\xff")], partition=3)])
    async with write_side.running():
        (dead_letter,) = await write_side.dead_letters(1)
    assert (dead_letter.key, dead_letter.value) == (None, None)
    assert dead_letter.headers[0] == ("ce_id", b"\xff")
    assert header(dead_letter, "dead-letter-partition") == "3"


async def test_the_same_command_across_restarts_has_one_effect_and_the_same_outcome(write_side):
    note, create, update = new_id(), new_id(), new_id()
    commands = [
        command(CreateNote(note_id=note, title="Once"), create),
        command(UpdateNote(note_id=note, body="x"), update),
    ]
    for life in (1, 2, 3):
        await write_side.publish(commands)
        async with write_side.running():
            outcomes = await write_side.outcomes(2 * life)
    assert len(outcomes) == 6
    for command_id in (create, update):
        repeats = [record for record in outcomes if json.loads(record.value)["command_id"] == command_id]
        assert len(repeats) == 3
        assert len({(header(record, "ce_id"), record.value, record.key) for record in repeats}) == 1
    events = await write_side.events(2)
    assert [json.loads(event.value)["version"] for event in events] == [1, 2]


async def test_a_dead_letter_that_is_delivered_again_is_not_doubled(write_side):
    await write_side.publish([Sent(b"k", b"broken", [])])
    async with write_side.running():
        await write_side.dead_letters(1)
    async with write_side.running(command_group=f"{write_side.settings.command_group}.other"):
        note = new_id()
        await write_side.publish([command(CreateNote(note_id=note, title="After"))])
        await write_side.outcomes(1)
    assert len(await write_side.dead_letters(1)) == 1
    assert len(await write_side.fetch("SELECT FROM dead_letters")) == 1


async def test_the_largest_legal_note_passes_through_everything(write_side):
    note = new_id()
    body = "\x01" * 50_000 + "😀" * 50_000  # six bytes each once escaped, and four bytes each
    async with write_side.running():
        await write_side.publish([command(CreateNote(note_id=note, title="😀" * 200, body=body, tags=["t"] * 20))])
        (event,) = await write_side.events(1)
    assert json.loads(event.value)["body"] == body
