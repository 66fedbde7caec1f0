"""Whatever MongoDB says of itself is waited for; only what it says of a document gives up the record."""

from typing import Any

import pytest
from pymongo import MongoClient
from query_support.fixtures import Database, Running, Samples, Send, Settings

from tests.harness.waiting import eventually

WAITED_FOR = [(11601, "Interrupted"), (112, "WriteConflict"), (14031, "OutOfDiskSpace"), (13, "Unauthorized")]
MARKER = "only-for-my-eyes"


@pytest.mark.parametrize(("code", "name"), WAITED_FOR)
async def test_a_good_event_is_stored_after_an_error_that_passes(
    *, code: int, name: str, samples: Samples, wired: Any, wire: Any, running: Running, send: Send, database: Database
):
    refused = {"insert": 3, "update": 2, "find": 2}
    error = {"ok": 0.0, "code": code, "codeName": name, "errmsg": f"{MARKER} at {wired.mongo}"}

    def answer(command: Any) -> Any:
        kind = next(iter(command))
        if not str(command[kind]).startswith("notes_v2_1") or refused.get(kind, 0) == 0:
            return None
        refused[kind] -= 1
        return error

    async with running(wired) as client:
        await send(wired.topic_events, samples.record(samples.created()))
        await eventually(lambda: version(client, samples.note, 1))
        wire.answer = answer
        while refused["find"] > 0:
            read = await client.get(f"/notes/{samples.note}")
            assert (read.status_code, read.json()["code"]) == (503, "unavailable")
            assert read.headers["retry-after"]
            assert MARKER not in read.text
            assert "127.0.0.1" not in read.text
        await send(wired.topic_events, samples.record(samples.created(samples.other)))
        await send(wired.topic_events, samples.record(samples.updated()))
        await eventually(lambda: version(client, samples.other, 1))
        await eventually(lambda: version(client, samples.note, 2))

    assert refused == {"insert": 0, "update": 0, "find": 0}
    assert await database["dead_letters"].find_one({}) is None


async def version(client: Any, note: str, at_least: int) -> bool:
    answer = await client.get(f"/notes/{note}")
    return answer.status_code == 200 and answer.json()["version"] >= at_least


async def test_a_document_that_is_refused_is_a_dead_letter_without_its_text(
    *,
    samples: Samples,
    settings: Settings,
    in_a_process: Any,
    send: Send,
    mongo_database: str,
    database: Database,
    tmp_path: Any,
):
    log = tmp_path / "log"
    with MongoClient(mongo_database) as client:
        client.get_default_database().command(
            "collMod", "notes_v2_1", validator={"body": {"$not": {"$regex": MARKER}}}, validationAction="error"
        )
    async with in_a_process(log) as client:
        good = samples.created(samples.other)
        await send(settings.topic_events, samples.record(samples.created(body=f"hush: {MARKER}")), samples.record(good))
        await eventually(lambda: version(client, samples.other, 1))
        dead_letter = await eventually(lambda: database["dead_letters"].find_one({"sent_at": {"$ne": None}}))
        shown = [(await client.get(path)).text for path in ("/readyz", "/metrics", f"/notes/{samples.note}")]

    assert (dead_letter["code"], dead_letter["note_id"]) == ("internal", samples.note)
    assert "121" in dead_letter["reason"]
    assert MARKER.encode() in dead_letter["value"]
    for text in (dead_letter["reason"], *shown, log.read_text()):
        assert MARKER not in text
