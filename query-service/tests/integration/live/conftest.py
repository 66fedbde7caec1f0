"""The service behind a real HTTP server, in this process; and a client of its changes."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from notes_chassis.http.server import Server
from notes_query.app import Only, build
from notes_query.settings import Settings
from tests.harness.waiting import eventually

DEADLINE_S = 30


@dataclass
class Instance:
    """A running instance: a client of its HTTP side, the server, and what its end begins with."""

    client: httpx.AsyncClient
    server: Server


@dataclass
class Event:
    """An event as an EventSource sees it."""

    name: str
    id: str
    data: Any

    @property
    def about(self) -> tuple[str, int]:
        """Return note and version."""
        return self.data["id"], self.data["version"]


@dataclass
class Changes:
    """Events of one stream, read as they come. `last_id` is what a browser would send."""

    response: httpx.Response
    last_id: str = ""
    comments: int = 0
    _lines: Any = None
    _fields: dict[str, str] = field(default_factory=dict)

    async def next(self) -> Event | None:
        """Return the next event; null at the end of the stream."""
        if self._lines is None:
            self._lines = self.response.aiter_lines()
        async with asyncio.timeout(DEADLINE_S):
            async for line in self._lines:
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    self._fields[name] = value
                else:
                    fields, self._fields = self._fields, {}
                    self.last_id = fields.get("id", self.last_id)
                    if "data" in fields:
                        return Event(fields["event"], self.last_id, json.loads(fields["data"]))
        return None

    async def some(self, count: int) -> list[Event]:
        """Return that many events."""
        return [event for _ in range(count) if (event := await self.next()) is not None]


async def served(client: httpx.AsyncClient) -> bool:
    """Say whether notes can be read."""
    try:
        return (await client.get("/notes")).status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture
def listening() -> Callable[..., AbstractAsyncContextManager[Instance]]:
    """Give what runs the service behind a real server until the block is left."""

    @asynccontextmanager
    async def listening(settings: Settings, only: Only | None = None) -> AsyncIterator[Instance]:
        app, process, let_readers_go = build(settings, only)
        server = Server(app, "127.0.0.1", 0, ending=let_readers_go)
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        with socket.create_server(("127.0.0.1", 0), backlog=2048) as bound:
            # What a client does not take waits in the service, not in the kernel, which would hold megabytes.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 65_536)
            serving = asyncio.create_task(server._serve(sockets=[bound]))
            address = f"http://127.0.0.1:{bound.getsockname()[1]}"
            async with httpx.AsyncClient(base_url=address, timeout=DEADLINE_S, limits=limits) as client:
                if only != "projector":
                    await eventually(lambda: served(client))
                yield Instance(client, server)
            server.end()
            await serving
        assert not process.supervisor.failed

    return listening


@pytest.fixture
def follow() -> Callable[..., AbstractAsyncContextManager[Changes]]:
    """Give what opens a stream of changes, from an id on, and has read how it begins."""

    @asynccontextmanager
    async def follow(instance: Instance, last_id: str | None = None) -> AsyncIterator[Changes]:
        headers = {} if last_id is None else {"Last-Event-ID": last_id}
        async with instance.client.stream("GET", "/notes/changes", headers=headers) as response:
            if response.status_code != 200:
                await response.aread()
            assert response.status_code == 200, response.text
            assert response.headers["content-type"].startswith("text/event-stream")
            yield Changes(response)

    return follow


@pytest.fixture
def ready() -> Callable[[Instance], Any]:
    """Give what waits until an instance projects events."""

    async def ready(instance: Instance) -> None:
        async def consuming() -> bool:
            parts = (await instance.client.get("/readyz")).json()["parts"]
            return any(name.startswith("notes") and part["ok"] for name, part in parts.items())

        await eventually(consuming)

    return ready


@pytest.fixture
def unread() -> Callable[..., Any]:
    """Give what opens a stream whose client takes next to nothing of what it is sent, from an id on."""

    async def unread(instance: Instance, last_id: str = "") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        url = instance.client.base_url
        taker = socket.socket()
        taker.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)  # what the kernel takes is taken, too
        taker.setblocking(False)
        await asyncio.get_running_loop().sock_connect(taker, (url.host, url.port))
        reader, writer = await asyncio.open_connection(sock=taker, limit=1)
        writer.write(f"GET /notes/changes HTTP/1.1\r\nHost: notes\r\nLast-Event-ID: {last_id}\r\n\r\n".encode())
        await writer.drain()
        writer.transport.pause_reading()
        return reader, writer

    return unread
