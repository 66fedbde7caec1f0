"""Snapshots on real servers: their place among the events, a run over all notes, and a run that was killed."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid5

import pytest
from command_support.processes import killed_at, told
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.postgres import create_engine
from notes_command.snapshots import republish
from notes_command.snapshots.republish import PostgresSnapshots, republish_all
from notes_contracts import CreateNote, DeleteNote, UpdateNote
from tests.harness.kafka_io import command, header, new_id, producing, send
from tests.harness.waiting import eventually

SNAPSHOT = "notes.event.note-snapshotted.v1"
AFTER = "notes_command.snapshots.republish:PostgresSnapshots.after"
UPDATES = 300
NOTES = """
INSERT INTO notes (id, title, body, tags, status, version, created_at, updated_at)
SELECT gen_random_uuid(), 'T', 'b', '{}', CASE n % 5 WHEN 0 THEN 'deleted' ELSE 'active' END, n, now(), now()
FROM generate_series(1, $1::int) AS n
"""
WRITTEN = "SELECT aggregateid, sequence, type FROM outbox ORDER BY position"
IDS = "SELECT id::text FROM notes ORDER BY id"


@pytest.fixture
async def engine(write_side: Any) -> AsyncIterator[AsyncEngine]:
    engine = create_engine(write_side.settings.postgres)
    yield engine
    await engine.dispose()


@pytest.fixture
def snapshots(write_side: Any, engine: AsyncEngine) -> PostgresSnapshots:
    return PostgresSnapshots(engine, write_side.settings.topic_events)


async def column(write_side: Any, statement: str, *parameters: Any) -> list[Any]:
    return [row[0] for row in await write_side.fetch(statement, *parameters)]


async def test_a_snapshot_stands_between_its_version_and_the_next(
    write_side: Any, snapshots: PostgresSnapshots
) -> None:
    """Without the lock on the note's row, a snapshot of version N would be written behind event N + 1."""
    note_id, topic = new_id(), write_side.settings.topic_commands

    async def write_updates() -> None:
        async with producing(write_side.settings.kafka) as producer:
            for number in range(UPDATES):
                await (await send(producer, topic, command(UpdateNote(note_id=note_id, body=f"{number + 2}"))))

    async def snap(until: "asyncio.Task[None]") -> None:
        while not until.done():
            assert await snapshots.one(note_id)

    async with write_side.running(command_batch=3), write_side.running(command_batch=3):
        await write_side.publish([command(CreateNote(note_id=note_id, title="T", body="1"))])
        await write_side.outcomes(1)
        writing = asyncio.create_task(write_updates())
        await asyncio.gather(writing, *(snap(writing) for _ in range(3)))
        await write_side.outcomes(UPDATES + 1)
        found = await write_side.read_until(
            write_side.settings.topic_events,
            lambda read: sum(header(record, "ce_type") != SNAPSHOT for record in read) > UPDATES,
        )

    at, versions = 0, set()
    for record in found:
        data, version = json.loads(record.value), int(header(record, "ce_sequence") or 0)
        if header(record, "ce_type") == SNAPSHOT:
            assert version == at == data["version"], "behind its version's event, before the next one's"
            assert header(record, "ce_id") == str(uuid5(UUID(note_id), f"snapshot:{version}"))
            assert (record.key.decode(), data["body"], data["status"]) == (note_id, str(version), "active")
            versions.add(version)
        else:
            assert version == at + 1
            at = version
    assert at == UPDATES + 1
    assert len(versions) > 20, "there was no race"


async def test_one_note_by_command_line_and_by_http(write_side: Any) -> None:
    note_id, gone = new_id(), new_id()
    made = [command(CreateNote(note_id=each, title="T", tags=("a",))) for each in (note_id, gone)]
    async with write_side.running() as client:
        await write_side.publish([*made, command(DeleteNote(note_id=gone))])
        await write_side.outcomes(3)
        answer = await client.post("/admin/republish", json={"note_id": note_id})
        assert (answer.status_code, answer.json()) == (202, {"note_id": note_id})
        assert (await client.post("/admin/republish", json={"note_id": new_id()})).status_code == 404
        assert (await told(write_side.settings, "republish", "--note", gone.upper())).code == 0
        unknown = await told(write_side.settings, "republish", "--note", new_id())
        found = await write_side.events(5)
    assert unknown.code == 1
    assert "there is no such note" in unknown.err
    snapped = {record.key.decode(): json.loads(record.value) for record in found[-2:]} | {
        record.key.decode(): json.loads(record.value) for record in found if header(record, "ce_type") == SNAPSHOT
    }
    assert {key: (data["version"], data["status"], data["tags"]) for key, data in snapped.items()} == {
        note_id: (1, "active", ["a"]),
        gone: (2, "deleted", []),
    }


async def test_a_run_killed_half_way_goes_on_where_it_stopped(write_side: Any) -> None:
    await write_side.fetch(NOTES, 45)
    await killed_at(write_side.settings, AFTER, "after", "republish", "--all", "--per-second", "20")
    assert len(await write_side.fetch(WRITTEN)) == 20, "one chunk was written, and nothing of the next"
    again = await told(write_side.settings, "republish", "--all", "--per-second", "1000")
    assert again.code == 0, again.err
    assert '"notes": 25' in again.err
    rows = await write_side.fetch(WRITTEN)
    assert [row["aggregateid"] for row in rows] == await column(write_side, IDS)
    assert {row["type"] for row in rows} == {SNAPSHOT}
    assert await write_side.fetch("SELECT * FROM republishing") == []


async def test_a_run_killed_before_its_commit_leaves_nothing_half_done(write_side: Any) -> None:
    await write_side.fetch(NOTES, 15)
    where = "notes_command.snapshots.republish:PostgresSnapshots._write"
    await killed_at(write_side.settings, where, "after", "republish", "--all")
    assert await write_side.fetch(WRITTEN) == []
    assert (await told(write_side.settings, "republish", "--all")).code == 0
    assert await column(write_side, WRITTEN) == await column(write_side, IDS)


async def test_a_run_waits_while_the_outbox_is_full(
    write_side: Any, snapshots: PostgresSnapshots, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(republish, "BACKLOG", 15)
    monkeypatch.setattr(republish, "CHUNK", 10)
    monkeypatch.setattr(republish, "POLL_S", 0.01)
    await write_side.fetch(NOTES, 35)
    looks, most, looked = 0, 0, PostgresSnapshots.waiting

    async def waiting(self: PostgresSnapshots) -> int:
        nonlocal looks, most
        count = await looked(self)
        most, looks = max(most, count), looks + 1
        return count

    monkeypatch.setattr(PostgresSnapshots, "waiting", waiting)
    run = asyncio.create_task(republish_all(snapshots, 1e6, lambda _: None))
    async with asyncio.timeout(60):
        await eventually(lambda: looks, lambda found: found >= 10)
        assert await column(write_side, "SELECT count(*) FROM outbox") == [20]
        while not run.done():
            await write_side.fetch("DELETE FROM outbox")
            await asyncio.sleep(0.01)
    assert (await run, most) == (35, 20)


async def test_a_run_is_no_faster_than_it_was_told(write_side: Any, snapshots: PostgresSnapshots) -> None:
    await write_side.fetch(NOTES, 30)
    loop = asyncio.get_running_loop()
    started = loop.time()
    assert await republish_all(snapshots, 20.0, lambda _: None) == 30
    assert loop.time() - started >= 1.4
