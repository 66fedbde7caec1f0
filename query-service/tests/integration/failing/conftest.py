"""A MongoDB that answers chosen commands with errors, whatever server there is: a wire that reads what goes over it."""

import asyncio
import os
import struct
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

import bson
import httpx
import pytest
from query_support.fixtures import Settings

from tests.harness.programs import WITHIN_S, start

OP_MSG: Final = 2013
HEADER: Final = struct.Struct("<iiii")
CUT: Final = "cut"


@dataclass
class FailingWire:
    """`answer` is given each command, and returns the server's reply, `CUT` to cut the connection, None to pass it on.

    `seen` counts the commands by name.
    """

    host: str
    to_port: int
    answer: Callable[[Mapping[str, Any]], Mapping[str, Any] | str | None] = lambda _: None
    port: int = 0
    seen: Counter[str] = field(default_factory=Counter)
    _server: asyncio.Server | None = None
    _open: set[asyncio.StreamWriter] = field(default_factory=set)

    async def mend(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self.cut_all()
            await self._server.wait_closed()

    def cut_all(self) -> None:
        """Cut what is open; new connections are taken."""
        for writer in list(self._open):
            writer.transport.abort()

    async def _connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(self.host, self.to_port)
        self._open |= {writer, back}
        try:
            await asyncio.gather(self._ask(reader, back, writer), self._carry(there, writer))
        finally:
            self._open -= {writer, back}

    async def _ask(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readexactly(HEADER.size)
                length, request, _, code = HEADER.unpack(head)
                rest = await reader.readexactly(length - HEADER.size)
                reply = self._reply(rest) if code == OP_MSG else None
                if reply == CUT:
                    writer.transport.abort()
                    break
                if isinstance(reply, Mapping):
                    body = b"\0\0\0\0\0" + bson.encode(reply)
                    writer.write(HEADER.pack(HEADER.size + len(body), 0, request, OP_MSG) + body)
                else:
                    back.write(head + rest)
        back.close()

    def _reply(self, rest: bytes) -> Mapping[str, Any] | str | None:
        command = bson.decode(rest[5 : 5 + struct.unpack_from("<i", rest, 5)[0]])
        self.seen[next(iter(command))] += 1
        return self.answer(command)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while some := await reader.read(65536):
                writer.write(some)
        writer.close()


@pytest.fixture
async def wire(mongo_database: str) -> AsyncIterator[FailingWire]:
    address = urlsplit(mongo_database)
    wire = FailingWire(address.hostname or "", address.port or 0)
    await wire.mend()
    yield wire
    await wire.close()


@pytest.fixture
def wired(settings: Settings, wire: FailingWire, mongo_database: str) -> Any:
    """Give settings whose MongoDB is behind the wire; `directConnection` keeps the driver from going around it."""
    url = urlsplit(mongo_database)._replace(netloc=f"127.0.0.1:{wire.port}", query="directConnection=true")
    return settings.model_copy(update={"mongo": urlunsplit(url)})


@pytest.fixture
def in_a_process(settings: Settings, unused_tcp_port: int) -> Any:
    """Give what runs the service as it is deployed, with its log in a file, until the block is left."""
    said = settings.model_dump(exclude_none=True, exclude={"cors_origins"})
    variables = {f"NOTES_{name.upper()}": str(value) for name, value in said.items()}

    @asynccontextmanager
    async def in_a_process(log: Path) -> AsyncIterator[httpx.AsyncClient]:
        with log.open("wb") as output:
            given = {**os.environ, **variables, "NOTES_QUERY_PORT": str(unused_tcp_port)}
            process = await asyncio.to_thread(
                start, "notes_query", "serve", environment=given, stdout=output, stderr=output
            )
        try:
            async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{unused_tcp_port}", timeout=30) as client:
                async with asyncio.timeout(60):
                    while not await _answers(client):
                        assert process.poll() is None, log
                        await asyncio.sleep(0.1)
                yield client
        finally:
            process.terminate()
            await asyncio.to_thread(process.wait, WITHIN_S)

    return in_a_process


async def _answers(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False
