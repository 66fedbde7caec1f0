"""A small app behind the real HTTP server, and what sends bytes to it."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import uvicorn
from fastapi import FastAPI, Request, Response
from fastapi.responses import StreamingResponse

from notes_chassis.http.answers import Answers
from notes_chassis.http.body import Intake
from notes_chassis.http.limits import HttpLimits
from notes_chassis.http.problems import Refusal, answer_framework, answer_refusal
from notes_chassis.http.server import Server
from tests.harness.metrics import shown
from tests.harness.waiting import eventually

POST = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GET = b"GET /ok HTTP/1.1\r\nHost: x\r\n"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"


def application(limits: HttpLimits) -> FastAPI:
    app, intake = FastAPI(openapi_url=None), Intake(limits)
    app.add_exception_handler(Refusal, answer_refusal)
    app.add_exception_handler(404, answer_framework)
    app.add_exception_handler(405, answer_framework)
    app.add_middleware(Answers)

    async def echo(request: Request) -> Response:
        with intake.room() as upload:
            return Response(await intake.read(request, upload), media_type="application/json")

    async def ok(_: Request) -> Response:
        return Response(b"fine")

    async def large(_: Request) -> Response:
        return Response(b"x" * 20_000_000)

    async def waits(_: Request) -> Response:
        await app.state.go_on.wait()
        return Response(b"waited")

    async def parts(_: Request) -> Response:
        async def some() -> AsyncIterator[bytes]:
            yield b"one "
            await app.state.go_on.wait()
            yield b"two"

        return StreamingResponse(some())

    app.state.go_on = asyncio.Event()
    app.add_route("/echo", echo, methods=["POST"])
    for path, endpoint in (("/ok", ok), ("/large", large), ("/waits", waits), ("/parts", parts)):
        app.add_route(path, endpoint, methods=["GET"])
    return app


@dataclass
class Served:
    """A server, and what sends bytes to it."""

    server: Server
    app: Any
    port: int

    async def connect(self, sent: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port, limit=2**20)
        writer.write(sent)
        return reader, writer

    async def ask(self, *sent: bytes) -> tuple[int, bytes]:
        """Send the parts one by one, each after the server had time to read the one before; return the answer."""
        reader, writer = await self.connect()
        for part in sent:
            writer.write(part)
            await writer.drain()
            await self.turns()
        answer = await answer_of(reader)
        writer.transport.abort()
        return answer

    async def turns(self) -> None:
        for _ in range(20):
            await asyncio.sleep(0)

    def check(self, later: float = 0.0) -> None:
        """Check the connections as if `later` seconds had passed."""
        for connection in list(self.server.server_state.connections):
            connection.check(asyncio.get_running_loop().time() + later)


async def answer_of(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    async with asyncio.timeout(20):
        head = await reader.readuntil(b"\r\n\r\n")
        fields = dict(line.lower().split(b": ", 1) for line in head.split(b"\r\n")[1:-2])
        body = await reader.readexactly(int(fields.get(b"content-length", b"0")))
    if int(head.split()[1]) >= 400:
        assert fields[b"content-type"] == b"application/problem+json"
        assert len(body) <= 16_000
    return int(head.split()[1]), body


def code_of(answer: tuple[int, bytes]) -> tuple[int, str]:
    return answer[0], json.loads(answer[1])["code"]


@asynccontextmanager
async def serving(**limits: Any) -> AsyncIterator[Served]:
    """Serve with these limits."""
    given = HttpLimits().model_copy(update=limits)
    app = application(given)
    server = Server(app, "127.0.0.1", 0, lambda: None, given)
    task = asyncio.create_task(uvicorn.Server.serve(server))
    await eventually(lambda: server.started)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Served(server, app, port)
    finally:
        app.state.go_on.set()
        server.end()
        async with asyncio.timeout(10):
            await task


Start = Callable[..., Awaitable[Served]]


def refused(limit: str) -> float:
    """Return how often a limit was met."""
    return shown("notes_http_refused_total", limit=limit)
