"""Killed with SIGKILL at every seam between consuming and the end of the outbox, restarted, checked from outside."""

import json

import pytest
from command_support.processes import killed_at, serving
from command_support.verdicts import assert_one_outcome_each, assert_versions_in_order

from notes_contracts import CreateNote, UpdateNote
from tests.harness.kafka_io import Sent, command, header, new_id
from tests.harness.waiting import eventually

SERVICE = "notes_command"
CONSUMER = "notes_chassis.kafka"
SEAMS = {
    "partitions assigned, nothing read": (f"{CONSUMER}.partitions:Rebalance.on_partitions_assigned", "after"),
    "batch read, nothing done": ("notes_command.pipeline.process:BatchProcessor.process", "before"),
    "read without locks, nothing stored": (f"{SERVICE}.pipeline.store:PostgresStore.read_without_locks", "after"),
    "decided without locks, not stored": (f"{SERVICE}.pipeline.store:PostgresStore.save", "before"),
    "stored without locks": (f"{SERVICE}.pipeline.store:PostgresStore.save", "after"),
    "transaction open, decided, not saved": (f"{SERVICE}.pipeline.store:PostgresUnitOfWork.save", "before"),
    "saved, not committed": (f"{SERVICE}.pipeline.store:PostgresUnitOfWork.save", "after"),
    "dead letter stored, its outbox row not": (
        f"{SERVICE}.pipeline.store:PostgresUnitOfWork._save_dead_letters",
        "after",
    ),
    "committed, offsets not committed": (f"{CONSUMER}.commits:OffsetCommitter.commit", "before"),
    "offsets committed": (f"{CONSUMER}.commits:OffsetCommitter.commit", "after"),
    "shards not leased": (f"{SERVICE}.outbox.store:PostgresOutbox.lease", "before"),
    "shards leased, nothing read": (f"{SERVICE}.outbox.store:PostgresOutbox.lease", "after"),
    "outbox read, nothing sent": (f"{SERVICE}.outbox.producer:RelayProducer.send", "before"),
    "one partition sent, others not": (f"{SERVICE}.outbox.producer:RelayProducer.send", "after"),
    "sent, rows not deleted": (f"{SERVICE}.outbox.store:PostgresOutbox.delete", "before"),
    "rows deleted": (f"{SERVICE}.outbox.store:PostgresOutbox.delete", "after"),
}


@pytest.mark.parametrize("seam", SEAMS)
async def test_killed_at_a_seam_nothing_is_lost_or_done_twice(write_side, seam):
    notes = [new_id() for _ in range(5)]
    commands = [command(CreateNote(note_id=note, title="T")) for note in notes]
    commands += [command(UpdateNote(note_id=note, body=f"{n}")) for n in range(20) for note in notes]
    poison = Sent(notes[0].encode(), b"{", [("ce_id", new_id().encode()), ("ce_type", b"notes.command.update-note.v1")])
    ordinary = "without locks" in seam  # a batch with a dead letter is stored behind locks
    await write_side.publish([*commands, *(() if ordinary else (poison,)), commands[0]])
    await killed_at(write_side.settings, *SEAMS[seam])
    if ordinary:
        await write_side.publish([poison])

    async with serving(write_side.settings):
        expected = {dict(record.headers)["ce_id"].decode() for record in [*commands, poison]}
        outcomes = await write_side.read_until(
            write_side.settings.topic_outcomes,
            lambda found: expected <= {json.loads(r.value)["command_id"] for r in found},
        )
        events = await write_side.read_until(
            write_side.settings.topic_events, lambda found: len({header(r, "ce_id") for r in found}) >= len(commands)
        )
        await write_side.read_until(
            write_side.settings.topic_command_dead_letters, lambda found: any(r.value == b"{" for r in found)
        )
        await until_sent(write_side)

    assert_one_outcome_each(outcomes)
    assert_versions_in_order(events, notes, 21)
    rows = await write_side.fetch("SELECT id::text, version, body FROM notes")
    assert {tuple(row) for row in rows} == {(note, 21, "19") for note in notes}
    assert [row[0] for row in await write_side.fetch("SELECT count(*) FROM dead_letters")] == [1]


async def until_sent(write_side):
    await eventually(lambda: write_side.fetch("SELECT count(*) FROM outbox"), lambda found: not found[0][0])
