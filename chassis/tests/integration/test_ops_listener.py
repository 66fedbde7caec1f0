"""`/livez`, `/readyz` and `/metrics` on a listener of their own."""

import asyncio
import signal
import socket
from contextlib import suppress

import httpx
import pytest
from fastapi import APIRouter, Response

from notes_chassis.http.probes import CONNECTIONS, OpsListener
from tests.harness.waiting import eventually


@pytest.fixture
def router() -> APIRouter:
    router = APIRouter()

    @router.get("/livez")
    async def livez() -> Response:
        return Response(b"{}")

    @router.get("/metrics")
    async def metrics() -> Response:
        raise RuntimeError("a bug")

    return router


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as one:
        return int(one.getsockname()[1])


async def test_it_serves_what_it_was_given_until_it_is_cancelled(router: APIRouter) -> None:
    port, before = free_port(), signal.getsignal(signal.SIGTERM)
    task = asyncio.create_task(OpsListener([router], "127.0.0.1", port).run())
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:

        async def answers() -> bool:
            with suppress(httpx.TransportError):
                return (await client.get("/livez")).status_code == 200
            return False

        await eventually(answers)
        assert signal.getsignal(signal.SIGTERM) is before
        assert (await client.head("/livez")).status_code == 200
        asked = [("GET", "/notes"), ("POST", "/livez"), ("GET", "/docs"), ("GET", "/metrics")]
        answers_ = [await client.request(*request) for request in asked]
        assert {answer.headers["content-type"] for answer in answers_} == {"application/problem+json"}
        assert [answer.status_code for answer in answers_] == [404, 405, 404, 500]
        task.cancel()
        await asyncio.wait([task])
        with pytest.raises(httpx.TransportError):
            await client.get("/livez")
    assert signal.getsignal(signal.SIGTERM) is before


async def test_it_answers_though_more_than_it_takes_hold_a_connection(router: APIRouter) -> None:
    port = free_port()
    task = asyncio.create_task(OpsListener([router], "127.0.0.1", port).run())
    held: list[socket.socket] = []
    async with asyncio.timeout(10):
        while len(held) < 2 * CONNECTIONS:
            with suppress(ConnectionRefusedError):
                held.append(await asyncio.to_thread(socket.create_connection, ("127.0.0.1", port)))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}", trust_env=False) as client:
            assert (await client.get("/livez")).status_code == 200
    task.cancel()
    await asyncio.wait([task])
    for socket_ in held:
        socket_.close()


async def test_a_port_that_is_taken_is_an_error_that_can_be_tried_again(router: APIRouter) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await OpsListener([router], "127.0.0.1", taken.getsockname()[1]).run()
