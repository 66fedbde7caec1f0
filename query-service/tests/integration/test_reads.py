"""The reads of the whole service, from records on the topic to answers."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from query_support.fixtures import Running, Samples, Send, Settings

from notes_contracts import NoteArchived, NoteDeleted, NoteRestored, NoteTagged, format_time
from tests.harness.waiting import eventually


def at(samples: Samples, version: int) -> dict[str, Any]:
    return {"note_id": samples.note, "version": version, "occurred_at": format_time(samples.at(version))}


async def test_every_read_shows_what_was_written(samples: Samples, settings: Settings, running: Running, send: Send):
    messages = [
        samples.created(body="flour, water and time"),
        samples.updated(version=2, body="Flour, water, SALT and time"),
        NoteTagged(tag="kitchen", tags=("one", "two", "kitchen"), **at(samples, 3)),
        NoteArchived(**at(samples, 4)),
        NoteRestored(**at(samples, 5)),
    ]
    await send(settings.topic_events, *(samples.record(message) for message in messages))

    async with running(settings) as client:

        async def search(q: str) -> Any:
            answer = await client.get("/notes/search", params={"q": q})
            return answer.json().get("items")

        (found,) = await eventually(lambda: search("salt"))
        await eventually(lambda: _at_version(client, f"/notes/{samples.note}", 5))
        body = await client.get(f"/notes/{samples.note}/body")
        history = await eventually(lambda: _items(client, f"/notes/{samples.note}/history", 5))
        await eventually(lambda: _knows_its_lag(client))
        listed = await client.get("/notes?tag=kitchen&author=someone")
        tags = await client.get("/tags")

        await send(settings.topic_events, samples.record(NoteDeleted(**at(samples, 6))))
        await eventually(lambda: _status(client, f"/notes/{samples.note}", 410))
        gone = [(await client.get(f"/notes/{samples.note}/{part}")).status_code for part in ("body", "history")]
        empty = [(await client.get(path)).json()["items"] for path in ("/notes?status=all", "/tags")]
        await eventually(lambda: _empty(search, "salt"))

    assert found["snippet"] == "Flour, water, SALT and time"
    assert body.json() == {"id": samples.note, "version": 5, "body": "Flour, water, SALT and time"}
    assert [(item["version"], item["type"].split(".")[2]) for item in history] == [
        (1, "note-created"),
        (2, "note-updated"),
        (3, "note-tagged"),
        (4, "note-archived"),
        (5, "note-restored"),
    ]
    assert [item["id"] for item in listed.json()["items"]] == [samples.note]
    assert float(listed.headers["projection-lag"]) >= 0
    assert tags.json() == {"items": [{"tag": name, "count": 1} for name in ("kitchen", "one", "two")]}
    assert gone == [410, 410]
    assert empty == [[], []]


async def _at_version(client: Any, path: str, version: int) -> bool:
    return bool((await client.get(path)).json().get("version") == version)


async def _status(client: Any, path: str, status: int) -> bool:
    return bool((await client.get(path)).status_code == status)


async def _items(client: Any, path: str, number: int) -> Any:
    items = (await client.get(path)).json().get("items", ())
    return items if len(items) == number else None


async def _knows_its_lag(client: Any) -> bool:
    return "projection-lag" in (await client.get("/notes")).headers


async def _empty(search: Any, q: str) -> bool:
    return await search(q) == []


@pytest.fixture
async def command_service(samples: Samples) -> AsyncIterator[str]:
    """Give the address of something that answers as command-service does."""
    note = {
        "id": samples.note,
        "title": "Fresh",
        "body": "word " * 30,
        "tags": [],
        "author": None,
        "status": "active",
        "version": 7,
        "created_at": format_time(samples.at(1)),
        "updated_at": format_time(samples.at(7)),
    }

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        known = head.startswith(f"GET /notes/{samples.note} ".encode())
        body = json.dumps(note if known else {"code": "note_not_found"}).encode()
        status = b"200 OK" if known else b"404 Not Found"
        writer.write(b"HTTP/1.1 %s\r\ncontent-length: %d\r\nconnection: close\r\n\r\n%s" % (status, len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    host, port = server.sockets[0].getsockname()
    yield f"http://{host}:{port}"
    server.close()
    await server.wait_closed()


async def test_what_is_not_here_in_time_is_read_from_the_write_store(
    samples: Samples, settings: Settings, running: Running, command_service: str
):
    patient = {"query_write_store_timeout_s": 20.0}
    query = "min_version=7&wait=0.05&on_stale=write-store"

    async with running(settings.model_copy(update=patient | {"command_url": command_service})) as client:
        fresh = await client.get(f"/notes/{samples.note}?{query}")
        same = await client.get(f"/notes/{samples.note}?{query}", headers={"If-None-Match": '"7"'})
        unknown = await client.get(f"/notes/{samples.other}?{query}")
    async with running(settings.model_copy(update={"command_url": "http://127.0.0.1:1"})) as client:
        away = await client.get(f"/notes/{samples.note}?{query}")

    assert (fresh.status_code, fresh.headers["consistency"], fresh.headers["etag"]) == (200, "write-store", '"7"')
    assert (fresh.json()["word_count"], fresh.json()["preview"]) == (30, "word " * 20)
    assert (same.status_code, same.headers["consistency"]) == (304, "write-store")
    assert (unknown.status_code, unknown.headers["consistency"]) == (404, "write-store")
    assert (away.status_code, away.headers["consistency"]) == (404, "stale")
