"""Hundreds of connections that want nothing good, while normal clients are served. Nothing here waits for a clock."""

import asyncio
import resource
import socket
from contextlib import suppress
from typing import Any

import pytest
from chassis_support.http_server import GET, POST, Served, Start, answer_of, code_of, refused

from tests.harness.waiting import eventually

ECHO = POST + b"Content-Length: 2\r\n\r\n{}"
MANY = 300


async def good(served: Served) -> None:
    """A client that does what clients do is served at once."""
    async with asyncio.timeout(5):
        assert await served.ask(GET + b"\r\n") == (200, b"fine")
        assert await served.ask(ECHO) == (200, b"{}")


async def open_many(served: Served, sent: bytes, count: int = MANY) -> list[Any]:
    return [await served.connect(sent) for _ in range(count)]


def let_go(clients: list[Any]) -> None:
    for _, writer in clients:
        writer.transport.abort()


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\r\n",
        b"GET /ok HTT",
        GET + b"x-slow: ",
        GET + b"\r\n",
        POST + b"Content-Length: 1000\r\n\r\n{",
        POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\n[1,2,",
    ],
    ids=["silent", "empty lines", "no line", "slow headers", "idle", "stalled upload", "stalled chunks"],
)
async def test_connections_without_a_request_give_way_to_new_ones(start: Start, sent: bytes) -> None:
    served = await start(http_connections=50)
    gave_way = refused("gave_way")
    clients = await open_many(served, sent)
    for _ in range(20):
        await good(served)
    assert len(served.server.server_state.connections) <= 51
    assert refused("gave_way") > gave_way
    let_go(clients)


async def test_who_waits_for_an_answer_does_not_give_way(start: Start) -> None:
    served = await start(http_connections=20)
    waiting = await open_many(served, GET.replace(b"/ok", b"/waits") + b"\r\n", 20)
    await eventually(
        lambda: sum(not connection.waits for connection in served.server.server_state.connections),
        lambda found: found >= 20,
    )

    for _ in range(30):
        reader, writer = await served.connect(GET + b"\r\n")
        assert code_of(await answer_of(reader)) == (503, "unavailable")
        writer.close()

    served.app.state.go_on.set()
    assert [await answer_of(reader) for reader, _ in waiting] == [(200, b"waited")] * 20
    await good(served)
    let_go(waiting)


async def test_stalled_uploads_give_way_when_the_room_for_bodies_is_full(start: Start) -> None:
    served = await start(http_bodies_bytes=4_000_000)
    clients = await open_many(served, POST + b"Content-Length: 400000\r\n\r\n" + b"1" * 300_000, 40)
    for _ in range(20):
        await good(served)
    assert await served.ask(POST + b"Content-Length: 400000\r\n\r\n" + b"1" * 400_000) == (200, b"1" * 400_000)
    answers = [await answer_of(reader) for reader, _ in clients[:5]]
    assert {code_of(answer) for answer in answers} == {(503, "unavailable")}
    let_go(clients)


@pytest.mark.parametrize(
    ("sent", "limit"),
    [
        (b"", None),
        (b"GET /ok HTT", "head"),
        (b"\r\n", "head"),
        (POST, "head"),
        (POST + b"Content-Length: 9\r\n\r\n{", "arrive"),
        (GET + b"Content-Length: 9\r\n\r\n", None),
    ],
)
async def test_a_request_that_is_late_ends_its_connection(start: Start, sent: bytes, limit: str | None) -> None:
    served = await start(http_head_s=5.0, http_arrive_s=0.2)
    before = refused(limit) if limit else 0
    reader, writer = await served.connect(sent)
    await good(served)
    served.check(20.0)
    async with asyncio.timeout(10):
        answer = await reader.read()
    if limit:
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert refused(limit) == before + 1
    else:
        assert answer == b"" or answer.startswith(b"HTTP/1.1 200 ")
    writer.close()


async def test_the_next_request_has_its_own_time_and_waiting_is_none(start: Start) -> None:
    served = await start()
    reader, writer = await served.connect(GET.replace(b"/ok", b"/waits") + b"\r\n" + GET)
    await served.turns()
    served.check(100.0)
    served.app.state.go_on.set()
    assert await answer_of(reader) == (200, b"waited")
    writer.write(b"\r\n")
    assert await answer_of(reader) == (200, b"fine")
    writer.close()


def slow_reader(served: Served) -> socket.socket:
    """Ask for 20 MB and take none of it."""
    slow = socket.socket()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    slow.connect(("127.0.0.1", served.port))
    slow.sendall(GET.replace(b"/ok", b"/large") + b"\r\n")
    return slow


async def test_answers_that_nobody_takes_have_so_much_memory_and_no_more(start: Start) -> None:
    served = await start(http_untaken_bytes=50_000_000)
    before, readers = refused("untaken"), []
    for count in range(1, 7):
        readers.append(slow_reader(served))
        await eventually(lambda: refused("untaken") - before >= max(0, count - 2))
        held = [connection.transport.get_write_buffer_size() for connection in served.server.server_state.connections]
        assert sum(held) <= 70_000_000, "the newest may be there already, and the oldest not gone yet"
    await good(served)
    for reader in readers:
        reader.close()


async def test_who_does_not_take_the_answer_is_cut_off(start: Start) -> None:
    served = await start()
    slow = slow_reader(served)
    (one,) = await connections(served, 1)
    await eventually(one.transport.get_write_buffer_size)
    taken = refused("take")
    for later in (0.0, 50.0, 100.0):
        await good(served)
        served.check(later)
    await connections(served, 0)
    assert refused("take") == taken + 1
    slow.close()


async def connections(served: Served, count: int) -> list[Any]:
    await eventually(lambda: len(served.server.server_state.connections), lambda found: found == count)
    return list(served.server.server_state.connections)


async def test_requests_sent_ahead_are_bounded(start: Start) -> None:
    served = await start()
    reader, writer = await served.connect((GET + b"\r\n") * 20)
    assert [await answer_of(reader) for _ in range(20)] == [(200, b"fine")] * 20
    writer.close()
    for sent in (GET + b"\r\n", GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n\r\n"):
        pipelined = refused("pipelined")
        reader, writer = await served.connect(sent * 2_000)
        with suppress(ConnectionResetError):
            async with asyncio.timeout(10):
                await reader.read()
        writer.close()
        assert refused("pipelined") == pipelined + 1
    await good(served)


async def test_the_rest_of_a_refused_body_is_read_for_a_while_and_not_kept(start: Start) -> None:
    served = await start()
    reader, writer = await served.connect(POST + b"Content-Length: 9000000\r\n\r\n")
    assert code_of(await answer_of(reader)) == (413, "too_large")
    writer.write(b"x" * 1_000_000)
    await writer.drain()
    (one,) = await connections(served, 1)
    assert len(one.cycle.body) == 0
    served.check(6.0)
    await connections(served, 0)
    writer.close()


async def test_a_server_that_ends_does_not_wait_for_what_never_arrives(start: Start) -> None:
    served = await start()
    clients = [await served.connect(sent) for sent in (b"", GET, POST + b"Content-Length: 9\r\n\r\n{")]
    await good(served)
    served.server.end()
    for reader, writer in clients:
        async with asyncio.timeout(5):
            assert await reader.read() == b""
        writer.close()


async def test_as_many_files_as_connections_are_asked_for(start: Start) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(512, hard), hard))
    try:
        served = await start(http_connections=700)
        files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        assert files >= min(700 + 256, hard)
        assert served.server.most <= files - 256
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 1024), hard))
