"""Killed with SIGKILL at every seam between consuming and the offsets' commit, restarted, checked from outside."""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager

import pytest

from notes_contracts import CreateNote, UpdateNote
from tests.harness.kafka_io import Sent, command, header, new_id

PORTS = "notes_command.adapters"
SEAMS = {
    "batch read, nothing done": ("notes_command.application.process_batch:BatchProcessor.process", "before"),
    "transaction open, decided, not saved": (f"{PORTS}.postgres.store:PostgresUnitOfWork.save", "before"),
    "saved, not committed": (f"{PORTS}.postgres.store:PostgresUnitOfWork.save", "after"),
    "committed, offsets not committed": (
        "notes_command.entrypoints.consumer.consumer:CommandConsumer._commit",
        "before",
    ),
    "offsets committed": ("notes_command.entrypoints.consumer.consumer:CommandConsumer._commit", "after"),
    "outbox read, nothing sent": (f"{PORTS}.kafka.broker:KafkaBroker.send", "before"),
    "sent, rows not deleted": (f"{PORTS}.postgres.outbox:PostgresOutbox.delete", "before"),
    "rows deleted": (f"{PORTS}.postgres.outbox:PostgresOutbox.delete", "after"),
}


def environment(settings):
    names = {f"NOTES_{name.upper()}": str(value) for name, value in settings.model_dump().items()}
    return {**os.environ, **names, "NOTES_COMMAND_PORT": "0"}


@asynccontextmanager
async def service(settings, *arguments):
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", *arguments, env=environment(settings), stderr=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.terminate()
            await process.wait()


async def killed_there(settings, place, when):
    async with service(settings, "tests.harness.crash", "notes_command", place, when, "1") as process:
        assert await asyncio.wait_for(process.wait(), 30) == -signal.SIGKILL, "the seam was never reached"


@pytest.mark.parametrize("seam", SEAMS)
async def test_killed_at(write_side, seam):
    notes = [new_id() for _ in range(5)]
    commands = [command(CreateNote(note_id=note, title="T")) for note in notes]
    commands += [command(UpdateNote(note_id=note, body=f"{n}")) for n in range(20) for note in notes]
    poison = Sent(notes[0].encode(), b"{", [("ce_id", new_id().encode()), ("ce_type", b"notes.command.update-note.v1")])
    await write_side.publish([*commands, poison, commands[0]])
    await killed_there(write_side.settings, *SEAMS[seam])

    async with service(write_side.settings, "notes_command", "serve"):
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


def assert_one_outcome_each(outcomes):
    seen = {}
    for record in outcomes:
        data = json.loads(record.value)
        same = seen.setdefault(data["command_id"], (header(record, "ce_id"), record.value))
        assert same == (header(record, "ce_id"), record.value)


def assert_versions_in_order(events, notes, last):
    first_of = {note: {} for note in notes}
    for record in events:
        data = json.loads(record.value)
        seen = first_of[data["note_id"]]
        identity = (header(record, "ce_id"), record.value, record.headers)
        if data["version"] in seen:
            assert seen[data["version"]] == identity, "a repeat differs from what it repeats"
        else:
            assert data["version"] == len(seen) + 1, "first occurrences are in order"
            seen[data["version"]] = identity
    assert all(len(seen) == last for seen in first_of.values())


async def until_sent(write_side):
    async with asyncio.timeout(20):
        while (await write_side.fetch("SELECT count(*) FROM outbox"))[0][0]:
            await asyncio.sleep(0.05)
