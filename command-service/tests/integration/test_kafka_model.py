"""The same random sequences that drive the aggregate, through Kafka: notes, events, outcomes and dead letters agree."""

import json
from collections import Counter
from contextlib import AsyncExitStack

from command_support.random_records import SEEDS, sequence

from notes_contracts import CreateNote, UpdateNote, digest_of
from tests.harness.kafka_io import Sent, command, header, new_id

NOTES = "SELECT id::text, title, body, tags, author, status, version, created_at, updated_at FROM notes"
INBOX = "SELECT command_id::text, note_id::text, status, code, version, digest FROM inbox"


async def test_random_sequences_come_to_what_the_model_says(write_side):
    sequences = [sequence(seed) for seed in SEEDS]
    models = [one.model for one in sequences]
    drawn = [record for turn in zip(*(one.sent for one in sequences), strict=True) for record in turn]
    records = [Sent(one.key, one.value, list(one.headers.items())) for one in drawn]
    third = len(records) // 3
    # One batch with everything, then records as they come, then two instances: what is cut where must not matter.
    await write_side.publish(records[:third])
    async with AsyncExitStack() as instances:
        await instances.enter_async_context(write_side.running())
        await write_side.publish(records[third : 2 * third])
        await instances.enter_async_context(write_side.running())
        await write_side.publish(records[2 * third :])
        wanted = Counter(answer["command_id"] for model in models for answer in model.answers)
        answers = await write_side.read_until(
            write_side.settings.topic_outcomes, lambda found: Counter(map(command_of, found)) >= wanted
        )
        told = {note_id: events for model in models for note_id, events in model.events.items()}
        events = await write_side.events(sum(map(len, told.values())))
        lost = Counter(dead_letter for model in models for dead_letter in model.dead_letters)
        dead_letters = await write_side.dead_letters(lost.total())

    assert_notes(await write_side.fetch(NOTES), models, events)
    assert {note_id: list(seen.values()) for note_id, seen in events_by_note(events).items()} == told
    first = {id_: answer for model in models for id_, answer in model.first.items()}
    assert {row["command_id"]: dict(row) for row in await write_side.fetch(INBOX)} == first
    for command_id, repeats in by_command(answers).items():
        assert all(repeat == repeats[0] for repeat in repeats), "the first outcome, under the first outcome's id"
        assert as_naive(repeats[0]) == first[command_id]
    assert Counter((dead_letter.value, header(dead_letter, "dead-letter-code")) for dead_letter in dead_letters) == lost


async def test_under_a_used_id_the_first_body_wins_and_the_digest_tells(write_side):
    note, twice = new_id(), new_id()
    first, second = UpdateNote(note_id=note, body="first"), UpdateNote(note_id=note, body="second")
    await write_side.publish([command(CreateNote(note_id=note, title="T")), command(first, twice)])
    async with write_side.running():
        await write_side.outcomes(2)
        await write_side.publish([command(second, twice), command(UpdateNote(note_id=note, body="last"))])
        answers = by_command(await write_side.outcomes(4))[twice]
        events = await write_side.events(3)
    assert [json.loads(event.value).get("body") for event in events] == ["", "first", "last"]
    assert len(answers) == 2
    assert answers[0] == answers[1]
    assert (answers[0]["version"], answers[0]["digest"]) == (2, digest_of(first))
    assert answers[0]["digest"] != digest_of(second)


def assert_notes(rows, models, events):
    """The columns are the model's; the times are those of the note's first and last event."""
    stored = {row["id"]: {**row, "tags": list(row["tags"])} for row in rows}
    seen = {}
    for event in events:
        data = json.loads(event.value)
        seen.setdefault(data["note_id"], []).append(data["occurred_at"])
    for note_id, times in seen.items():
        note = stored[note_id]
        kept = [note.pop(name).isoformat(timespec="milliseconds") for name in ("created_at", "updated_at")]
        assert kept == [time.replace("Z", "+00:00") for time in (times[0], times[-1])]
        assert times == sorted(times)
        assert note.pop("id") == note_id
    assert stored == {note_id: note for model in models for note_id, note in model.notes.items()}


def events_by_note(records):
    """Return each note's events by version, in the order in which each first appeared."""
    found, ids = {}, {}
    for record in records:
        data = json.loads(record.value)
        del data["occurred_at"]
        versions = found.setdefault(data.pop("note_id"), {})
        event = {"type": header(record, "ce_type"), **data}
        assert versions.setdefault(data["version"], event) == event, "a repeat is the same event"
        one = ids.setdefault((record.key, data["version"]), header(record, "ce_id"))
        assert one == header(record, "ce_id"), "a repeat is the same event"
    for versions in found.values():
        assert list(versions) == sorted(versions)
    return found


def by_command(records):
    """Return each command's outcomes in arrival order, with their own ids."""
    found = {}
    for record in records:
        found.setdefault(command_of(record), []).append({**json.loads(record.value), "id": header(record, "ce_id")})
    return found


def command_of(record):
    return json.loads(record.value)["command_id"]


def as_naive(outcome):
    code = (outcome["error"] or {"code": None})["code"]
    names = ("command_id", "note_id", "status", "version", "digest")
    return {"code": code, **{name: outcome[name] for name in names}}
