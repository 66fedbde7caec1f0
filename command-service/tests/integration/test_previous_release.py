"""The release before this one, started on the present schema: migrations only expand, so that it serves as before."""

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZipFile

import asyncpg
import httpx
import pytest
from command_support.processes import environment

from notes_command.migrations import versions
from notes_contracts import CreateNote, UpdateNote
from tests.e2e.service_process import ServiceProcess
from tests.harness.kafka_io import Sent, command, header, new_id
from tests.harness.waiting import eventually

(ARCHIVE,) = (Path(__file__).parents[1] / "released").glob("schema-*.zip")
SOURCES = [f"{ARCHIVE}/command-service/src", f"{ARCHIVE}/contracts/src"]
FOLDER = "command-service/src/notes_command/adapters/postgres/migrations/versions/"


@pytest.fixture
def previous(write_side, tmp_path: Path) -> Iterator[ServiceProcess]:
    """Give the previous release as a process, not started."""
    path = ":".join([*SOURCES, *sys.path])
    given = {name: value for name, value in environment(write_side.settings).items() if name.startswith("NOTES_")}
    service = ServiceProcess("command", {**given, "PYTHONPATH": path}, tmp_path / "previous.log")
    yield service
    service.kill()


def released() -> dict[str, bytes]:
    with ZipFile(ARCHIVE) as archive:
        names = [name for name in archive.namelist() if name.startswith(FOLDER) and name.endswith(".py")]
        return {name.removeprefix(FOLDER): archive.read(name) for name in names}


def test_it_is_the_release_before_and_its_migrations_are_as_they_were() -> None:
    present = {path.name: path.read_bytes() for path in Path(versions.__path__[0]).glob("*.py")}
    before = released()
    assert {name: present.get(name) for name in before} == before, "a migration that was released is never edited"
    assert set(before) < set(present), "the archive is of an older schema"
    newest = max(name for name in before if name[0].isdigit())
    assert ARCHIVE.name == f"schema-{newest[:4]}.zip"


def records(note):
    create = command(CreateNote(note_id=note, title="T", body="0", tags=["a"], author="A"))
    updates = [command(UpdateNote(note_id=note, body=f"{number}")) for number in range(1, 10)]
    poison = Sent(note.encode(), b"{", [("ce_id", new_id().encode()), ("ce_type", b"notes.command.update-note.v1")])
    refused = command(UpdateNote(note_id=note, body="X", expected_version=77))
    return [create, *updates, updates[0], poison, refused]


async def test_everything_it_does_it_still_does(write_side, previous) -> None:
    note = new_id()
    await asyncio.to_thread(previous.start)
    sent = records(note)
    await write_side.publish(sent)
    outcomes = await write_side.outcomes(len(sent))
    events = await write_side.events(10)
    (dead_letter,) = await write_side.dead_letters(1)
    async with httpx.AsyncClient(base_url=previous.url, timeout=30) as http:
        read = (await http.get(f"/notes/{note}")).json()
        answer = (await http.get(f"/commands/{header(sent[0], 'ce_id')}")).json()
        posted = await http.post("/commands/create-note", json={"title": "P"}, headers={"Prefer": "wait=30"})
    statuses = [json.loads(record.value)["status"] for record in outcomes]
    assert statuses == ["accepted"] * 11 + ["failed", "rejected"]
    assert [json.loads(event.value)["version"] for event in events] == list(range(1, 11))
    assert header(dead_letter, "dead-letter-code") == "undecodable"
    assert (read["body"], read["version"], read["tags"]) == ("9", 10, ["a"])
    assert (answer["status"], posted.status_code) == ("accepted", 200)
    await eventually(
        lambda: write_side.fetch("SELECT count(*) FROM outbox"), lambda found: not found[0][0], within_s=60
    )
    assert previous.is_running, previous.log_tail()


async def test_both_releases_serve_at_the_same_time(write_side, previous) -> None:
    await asyncio.to_thread(previous.start)
    notes = [new_id() for _ in range(24)]
    writes = [command(CreateNote(note_id=note, title="T")) for note in notes]
    async with write_side.running():
        for number in range(10):
            await write_side.publish(writes)
            writes = [command(UpdateNote(note_id=note, body=f"{number}")) for note in notes]
        await write_side.outcomes(10 * len(notes))
        events = await write_side.events(10 * len(notes))
    versions_of = {note: [] for note in notes}
    for event in events:
        data = json.loads(event.value)
        versions_of[data["note_id"]].append(data["version"])
    assert all(seen == list(range(1, 11)) for seen in versions_of.values())


@pytest.mark.parametrize(
    "contraction",
    [
        "ALTER TABLE notes RENAME COLUMN title TO heading",
        "ALTER TABLE dead_letters DROP COLUMN reason",
        "ALTER TABLE outbox DROP COLUMN parked_because, DROP COLUMN traceparent",
        "ALTER TABLE inbox ADD COLUMN attempts int NOT NULL",
    ],
)
async def test_a_migration_that_contracts_would_be_seen(write_side, previous, contraction) -> None:
    connection = await asyncpg.connect(write_side.settings.postgres)
    await connection.execute(contraction)
    await connection.close()
    await asyncio.to_thread(previous.start)
    await write_side.publish(records(new_id()))
    await eventually(
        lambda: any(sign in previous.log.read_text() for sign in ("does not exist", "violates not-null")), within_s=60
    )
