"""One side of the release before beside the other side of today, in both directions, on real servers.

Services are updated one after the other, so each must read what the other wrote. Each has its own database.
"""

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from notes_contracts import COMMANDS
from tests.contract.golden_file import golden
from tests.e2e.pair import Make
from tests.harness.kafka_io import Sent, publish
from tests.harness.release_before import release_before
from tests.servers.addresses import Servers
from tests.servers.background import Background
from tests.servers.postgres_template import statement, with_database

UPDATE, DELETE = "notes.command.update-note.v1", "notes.command.delete-note.v1"
STALE, PAINT = str(uuid.UUID(int=1, version=4)), str(uuid.UUID(int=2, version=4))
NOTE = golden(UPDATE).key.decode()


@pytest.fixture
def empty_database(servers: Servers, background: Background) -> Iterator[str]:
    """Give the URL of a PostgreSQL database without any table, which goes with the test."""
    name = f"test_{uuid.uuid4().hex}"
    background.run(statement(servers.postgres, f'CREATE DATABASE "{name}"'))
    yield with_database(servers.postgres, name)
    background.run(statement(servers.postgres, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)'))


def record(name: str, id_: str | None = None, as_type: str | None = None) -> Sent:
    message = golden(name)
    changed = {"ce_id": id_, "ce_type": as_type}
    headers = [(key, (changed.get(key) or "").encode() or value) for key, value in message.headers]
    return Sent(message.key, message.value, headers)


async def answer(client: httpx.AsyncClient, path: str, status: int = 200) -> Any:
    found = await client.get(path)
    assert found.status_code == status, found.text
    return found.json()


@pytest.mark.parametrize("old", ["command", "query"])
async def test_one_side_of_the_release_before_beside_the_other_of_today(
    old: str, environment: dict[str, str], make_service: Make, empty_database: str
) -> None:
    path = await asyncio.to_thread(release_before)
    if old == "command":  # it makes its own tables
        environment["NOTES_POSTGRES"] = empty_database
        migrate = [sys.executable, "-m", "notes_command", "migrate"]
        settings = {**os.environ, **environment, "PYTHONPATH": path}
        await asyncio.to_thread(subprocess.run, migrate, env=settings, check=True, capture_output=True)
    made = {}
    for name in ("command", "query"):
        environment.pop("PYTHONPATH", None)
        if name == old:
            environment["PYTHONPATH"] = path
        made[name] = make_service(name)
        environment["NOTES_COMMAND_URL"] = made["command"].url
    for service in made.values():
        service.start(wait=False)
    for service in made.values():
        await asyncio.to_thread(service.wait_until_ready)

    kafka, topic = environment["NOTES_KAFKA"], environment["NOTES_TOPIC_COMMANDS"]
    living = [name for name in COMMANDS if name != DELETE]
    odd = [record(UPDATE, STALE), record(UPDATE, PAINT, "notes.command.paint-note.v1")]
    await publish(kafka, topic, [*map(record, living), *odd])
    async with (
        httpx.AsyncClient(base_url=made["query"].url, timeout=30) as query,
        httpx.AsyncClient(base_url=made["command"].url, timeout=30) as command,
    ):
        for name, client in (("command", command), ("query", query)):  # the release before had no such path
            paths = (await answer(client, "/openapi.json"))["paths"]
            assert ("/admin/dead-letters" in paths) == (name != old), f"the {name}-service is not of the release meant"
        view = await answer(query, f"/notes/{NOTE}?min_version=7&wait=10")
        written = await answer(command, f"/notes/{NOTE}")
        assert {key: view[key] for key in view.keys() & written.keys()} == {
            key: written[key] for key in view.keys() & written.keys()
        }
        assert (view["version"], view["status"], view["title"]) == (7, "active", golden(living[2]).data["title"])
        assert (await answer(query, f"/notes/{NOTE}/body"))["body"] == written["body"]
        for id_, status, code in ((STALE, "rejected", "version_conflict"), (PAINT, "failed", "undecodable")):
            for side in (query, command):
                outcome = await answer(side, f"/commands/{id_}?wait=10")
                assert (outcome["status"], outcome["error"]["code"]) == (status, code)

        # A reader of one release falls back to the write store of the other.
        stale = await query.get(f"/notes/{NOTE}?min_version=99&wait=0.1&on_stale=write-store")
        assert (stale.status_code, stale.headers["consistency"], stale.json()) == (200, "write-store", view)
        snapshot = await command.post("/admin/republish", json={"note_id": NOTE})
        assert snapshot.status_code == 202, snapshot.text

        await publish(kafka, topic, [record(DELETE)])
        await answer(query, f"/notes/{NOTE}?min_version=8&wait=10", 410)
