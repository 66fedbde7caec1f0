"""What the HTTP server itself lets through, on a socket."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI

from notes_query.entrypoints.http.app import make_app
from notes_query.entrypoints.http.server import Server

Ask = Callable[[bytes], Awaitable[tuple[int, dict[str, Any]]]]


@asynccontextmanager
async def nothing_to_run(_: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
async def ask() -> AsyncIterator[Ask]:
    """Give what sends bytes to a server of its own, and returns status and body of the answer."""
    listening = socket.create_server(("127.0.0.1", 0))
    server = Server(make_app([], nothing_to_run, "1.0.0"), "127.0.0.1", 0, ending=lambda: None)
    serving = asyncio.create_task(uvicorn.Server.serve(server, sockets=[listening]))

    async def ask(sent: bytes) -> tuple[int, dict[str, Any]]:
        reader, writer = await asyncio.open_connection(*listening.getsockname())
        writer.write(sent)
        async with asyncio.timeout(20):
            answer = await reader.read()
        writer.close()
        head, _, body = answer.partition(b"\r\n\r\n")
        assert b"content-type: application/problem+json" in head.lower()
        return int(head.split()[1]), json.loads(body)

    yield ask
    server.should_exit = True
    await serving


def get(target: bytes = b"/nowhere", headers: bytes = b"", body: bytes = b"") -> bytes:
    length = b"content-length: %d\r\n" % len(body) if body else b""
    return b"GET %s HTTP/1.1\r\nhost: x\r\nconnection: close\r\n%s%s\r\n%s" % (target, headers, length, body)


@pytest.mark.parametrize("headers", [b"x-large: %s\r\n" % (b"x" * 100_000), b"x-many: xxxxxxxx\r\n" * 6_000])
async def test_large_headers_are_refused(ask: Ask, headers: bytes):
    status, problem = await ask(get(headers=headers))

    assert (status, problem["code"]) == (431, "too_large")


async def test_a_long_target_is_refused(ask: Ask):
    status, problem = await ask(get(target=b"/notes?author=" + b"x" * 50_000))

    assert (status, problem["code"]) == (414, "too_large")


async def test_a_body_that_nobody_asked_for_changes_nothing(ask: Ask):
    assert (await ask(get(body=b"x" * 10_000)))[0] == 404
    assert (await ask(get(headers=b"x-fine: %s\r\n" % (b"x" * 8_000))))[0] == 404
