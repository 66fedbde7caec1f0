"""The runbook of docs/operations/servers.md, "PostgreSQL was restored from a backup", step by step."""

import json
import os
from http.client import HTTPResponse
from time import monotonic, sleep
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import asyncpg

from tests.e2e.pair import Pair
from tests.harness.programs import ended
from tests.servers.background import Background

WITHIN_S = 30.0


def call(url: str, data: dict[str, Any] | None = None) -> tuple[int, str | None, Any]:
    """Get, or post and wait for the outcome; return status, `Consistency` and content."""
    body = None if data is None else json.dumps(data).encode()
    request = Request(url, body, {"Prefer": "wait=30", "Content-Type": "application/json"})
    answer: HTTPResponse | HTTPError
    try:
        answer = urlopen(request, timeout=60)
    except HTTPError as error:
        answer = error
    with answer:
        text = answer.read().decode()
        return answer.status or 0, answer.headers["Consistency"], json.loads(text) if text.startswith("{") else text


def until(pair: Pair, note: str, consistency: str | None, version: int) -> None:
    deadline = monotonic() + WITHIN_S
    while (found := (seen := call(f"{pair.query.url}/notes/{note}"))[1], seen[2].get("version")) != (
        consistency,
        version,
    ):
        assert monotonic() < deadline, found
        sleep(0.05)


def program(pair: Pair, *words: str) -> tuple[int, str]:
    done = ended(*words, environment=os.environ | pair.environment)
    return done.code, done.out + done.err


async def copied(server: str, source: str, target: str) -> None:
    """Copy a database as it is, whoever is connected; the target goes first."""
    connection = await asyncpg.connect(f"{server}/postgres")
    try:
        await connection.execute(f'DROP DATABASE IF EXISTS "{target}" WITH (FORCE)')
        await connection.execute(f'ALTER DATABASE "{source}" ALLOW_CONNECTIONS false')
        ended = f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{source}'"
        await connection.execute(ended)
        await connection.execute(f'CREATE DATABASE "{target}" TEMPLATE "{source}"')
        await connection.execute(f'ALTER DATABASE "{source}" ALLOW_CONNECTIONS true')
        await connection.execute(f'ALTER DATABASE "{target}" ALLOW_CONNECTIONS true')
    finally:
        await connection.close()


async def dropped(server: str, name: str) -> None:
    connection = await asyncpg.connect(f"{server}/postgres")
    await connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
    await connection.close()


def gap_of_notes(pair: Pair) -> dict[str, Any]:
    """Return the only gap of the notes; the background projector may show it later in what it feeds."""
    code, output = program(pair, "notes_query", "gaps", "--json")
    (gap,) = (gap for gap in json.loads(output) if gap["read_model"].startswith("notes_"))
    assert code == 1
    return dict(gap)


def test_readers_notice_every_note_that_goes_on_and_snapshots_heal_it(pair: Pair, background: Background) -> None:
    server, _, database = pair.environment["NOTES_POSTGRES"].rpartition("/")
    backup = f"{database}_backup"

    def send(name: str, **data: Any) -> dict[str, Any]:
        status, _, outcome = call(f"{pair.command.url}/commands/{name}", data)
        assert status == 200, outcome
        return dict(outcome)

    busy, quiet = (send("create-note", title=title)["note_id"] for title in ("Busy", "Quiet"))
    for note in (busy, quiet):
        send("update-note", note_id=note, body="in the backup")
    try:
        background.run(copied(server, database, backup))
        for number in range(3):
            for note in (busy, quiet):
                send("update-note", note_id=note, body=f"lost {number}")
        lost = send("create-note", title="Lost")["note_id"]
        for note, version in ((busy, 5), (quiet, 5), (lost, 1)):
            until(pair, note, None, version)

        assert pair.command.terminate() == 0
        background.run(copied(server, backup, database))
        pair.command.start()

        assert send("update-note", note_id=busy, body="restored 3")["version"] == 3
        until(pair, busy, "parked", 5)
        gap = gap_of_notes(pair)
        assert (gap["note_id"], gap["version"], gap["stopped"]) == (busy, 5, True)
        assert program(pair, "notes_query", "verify", "notes")[0] == 1
        assert "notes_query_forks{" in call(f"{pair.query.url}/metrics")[2]

        for number in range(4, 7):
            send("update-note", note_id=busy, body=f"restored {number}")
        assert program(pair, "notes_command", "republish", "--all")[0] == 0
        until(pair, busy, None, 6)
        assert call(f"{pair.query.url}/notes/{busy}/body")[2]["body"] == "restored 6"
        # What does not go on is not noticed: readers have more than the write store.
        until(pair, quiet, None, 5)
        until(pair, lost, None, 1)
        assert call(f"{pair.command.url}/notes/{lost}")[0] == 404

        healed = gap_of_notes(pair)
        assert (healed["note_id"], healed["stopped"], healed["forks"]) == (busy, False, 3)
        code, output = program(pair, "notes_query", "verify")
        assert code == 0, output
        assert program(pair, "notes_query", "forks", "drop", "--all")[0] == 0
        assert program(pair, "notes_query", "gaps") == (0, "no gaps\n")
    finally:
        background.run(dropped(server, backup))
