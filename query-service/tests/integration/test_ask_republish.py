"""A gap that stays makes this service ask the other one for a snapshot, which heals it."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from query_support.fixtures import Running, Samples, Send, Settings

from notes_contracts import NoteSnapshotted, format_time
from tests.harness.waiting import eventually

pytestmark = pytest.mark.usefixtures("quick_looks")


class CommandService:
    """Answers like the other service, first that it is asked too often; remembers which notes were asked for."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        (length,) = [line.partition(":")[2] for line in head.splitlines() if line.startswith("content-length:")]
        self.asked.append(json.loads(await reader.readexactly(int(length)))["note_id"])
        first = len(self.asked) == 1
        status = b"429 Too Many Requests\r\nRetry-After: 1" if first else b"202 Accepted"
        writer.write(b"HTTP/1.1 " + status + b"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        await writer.drain()
        writer.close()


@pytest.fixture
async def command_service() -> AsyncIterator[tuple[CommandService, str]]:
    service = CommandService()
    server = await asyncio.start_server(service.serve, "127.0.0.1", 0)
    yield service, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    server.close()


async def test_a_gap_that_stays_is_healed_by_the_snapshot_that_is_asked_for(
    *, samples: Samples, settings: Settings, running: Running, send: Send, command_service: Any, monkeypatch: Any
):
    monkeypatch.setattr("notes_query.repairing.ask_republish.PATIENCE", samples.at(1) - samples.at(0))
    service, address = command_service
    asking = settings.model_copy(update={"command_url": address})
    async with running(asking) as client:
        await send(settings.topic_events, samples.record(samples.updated(version=3)))

        async def asked_again() -> bool:
            return len(service.asked) >= 2

        await eventually(asked_again, within_s=60)
        assert set(service.asked) == {samples.note}
        whole = NoteSnapshotted(
            note_id=samples.note,
            version=2,
            occurred_at=format_time(samples.at(2)),
            title="Snapshot",
            body="whole",
            tags=(),
            author=None,
            status="active",
            created_at=format_time(samples.at(1)),
            updated_at=format_time(samples.at(2)),
        )
        await send(settings.topic_events, samples.record(whole, name="snapshot"))
        answer = await client.get(f"/notes/{samples.note}?min_version=3&wait=10")
        shown = (await client.get("/metrics")).text

    assert (answer.headers["consistency"], answer.json()["version"]) == ("current", 3)
    for answered in ("rate_limited", "accepted"):
        assert f'notes_query_republish_total{{answer="{answered}"}}' in shown
