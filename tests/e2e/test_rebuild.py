"""A read side that lost everything, in front of a topic that lost everything, is whole again by snapshots."""

import json
import os
from time import monotonic, sleep
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from pymongo import MongoClient

from tests.e2e.pair import Pair
from tests.harness.programs import ended
from tests.harness.truncation import truncate
from tests.servers.background import Background

WITHIN_S = 60.0


def ask(url: str, data: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
    """Get, or post and wait for the outcome."""
    body = None if data is None else json.dumps(data).encode()
    try:
        with urlopen(
            Request(url, body, {"Prefer": "wait=30", "Content-Type": "application/json"}), timeout=60
        ) as answer:
            return answer.status, json.load(answer)
    except HTTPError as error:
        return error.code, json.load(error)


def until_status(url: str, status: int) -> dict[str, Any]:
    deadline = monotonic() + WITHIN_S
    while (answer := ask(url))[0] != status:
        assert monotonic() < deadline, f"{url} still answers {answer}"
        sleep(0.05)
    return answer[1]


def test_a_read_side_that_lost_everything_is_rebuilt(pair: Pair, background: Background) -> None:
    def send(name: str, **data: Any) -> str:
        status, outcome = ask(f"{pair.command.url}/commands/{name}", data)
        assert status == 200, outcome
        return str(outcome["note_id"])

    kept = send("create-note", title="Kept", body="one two", tags=["a"], author="me")
    send("update-note", note_id=kept, body="three")
    archived = send("create-note", title="Archived")
    send("archive-note", note_id=archived)
    deleted = send("create-note", title="Deleted")
    send("delete-note", note_id=deleted)
    urls = {note: f"{pair.query.url}/notes/{note}" for note in (kept, archived, deleted)}
    before = {note: ask(f"{urls[note]}?min_version=2&wait=10") for note in urls}
    assert [status for status, _ in before.values()] == [200, 200, 410]

    pair.query.kill()
    with MongoClient[dict[str, Any]](pair.environment["NOTES_MONGO"]) as mongo:
        mongo.drop_database(mongo.get_default_database().name)
    background.run(truncate(pair.environment["NOTES_KAFKA"], pair.topics.events, 12))
    pair.query.start()
    assert ask(urls[kept])[0] == 404, "nothing is left to rebuild from"

    environment = os.environ | pair.environment
    assert ended("notes_command", "republish", "--all", environment=environment).code == 0
    until_status(urls[kept], 200)
    until_status(urls[archived], 200)
    until_status(urls[deleted], 410)
    assert {note: ask(url) for note, url in urls.items()} == before

    send("rename-note", note_id=kept, title="Goes on")
    status, shown = ask(f"{urls[kept]}?min_version=3&wait=10")
    assert (status, shown["title"], shown["preview"], shown["version"]) == (200, "Goes on", "three", 3)
