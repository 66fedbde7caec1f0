"""What the HTTP server lets through, and what it refuses, on a real socket."""

import asyncio

import pytest
from chassis_support.http_server import GET, POST, UPGRADE, Start, answer_of, code_of

from notes_chassis.http.server import Server
from tests.harness.waiting import eventually


async def test_headers_are_bounded_in_one_part_and_in_many(start: Start) -> None:
    served = await start()
    for headers in (b"x-large: %s\r\n" % (b"x" * 100_000), b"x-many: xxxxxxxx\r\n" * 6_000):
        assert code_of(await served.ask(GET + headers + b"\r\n")) == (431, "too_large")
    for piece in (b"x" * 10_000, b"x: y\r\n" * 2_000):
        assert code_of(await served.ask(GET + b"x-large: ", *[piece] * 20)) == (431, "too_large")
    assert code_of(await served.ask(b"GET /ok?" + b"x" * 50_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n")) == (
        414,
        "too_large",
    )
    assert (await served.ask(GET + b"x-fine: %s\r\n\r\n" % (b"x" * 30_000)))[0] == 200


async def test_trailers_and_extensions_of_chunks_are_bounded(start: Start) -> None:
    served = await start()
    chunked = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    for piece in (b"1\r\n1\r\n0\r\n", b"1;"):
        more = [b"x: " if piece[1:2] == b"\r" else b"", *[b"y" * 10_000] * 20]
        assert code_of(await served.ask(chunked, piece, *more)) == (431, "too_large")
    assert await served.ask(chunked, b"1\r\n1\r\n" * 10_000 + b"0\r\nx: y\r\n\r\n") == (200, b"1" * 10_000)


@pytest.mark.parametrize(
    "request_",
    [
        b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n" + UPGRADE + b"\r\n",
        b"GET http://[ HTTP/1.1\r\nHost: x\r\n\r\n",
        POST + b"Content-Length: -1\r\n\r\n",
        POST + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}",
        POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        POST + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
        GET + b"no colon\r\n\r\n",
        b"GET /ok HTTP/1.1\r\n\r\n",
        b"GET /ok HTTP/1.1\r\n" + UPGRADE + b"\r\n",
        GET + b"Host: x\r\n\r\n",
        b"GET /ok HTTP/1.0\r\nHost: x\r\nHost: y\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_told_so_in_a_problem_document(start: Start, request_: bytes) -> None:
    served = await start()
    assert code_of(await served.ask(request_)) == (400, "bad_request")


@pytest.mark.parametrize("length", [2, 300_000])
@pytest.mark.parametrize("offer", [UPGRADE, b"Connection: upgrade\r\nUpgrade: websocket\r\n"])
async def test_a_request_that_offers_an_upgrade_keeps_its_body(start: Start, length: int, offer: bytes) -> None:
    served = await start()
    body = b"7" * length
    asked = POST + offer + b"Content-Length: %d\r\n\r\n" % length
    assert await served.ask(asked + body) == (200, body)
    assert await served.ask(asked, body) == (200, body)
    assert await served.ask(*[bytes([byte]) for byte in asked], body) == (200, body)
    chunks = POST + offer + b"Transfer-Encoding: chunked\r\n\r\n" + b"%x\r\n%s\r\n0\r\n\r\n" % (length, body)
    assert await served.ask(chunks) == (200, body)


async def test_a_body_is_never_read_as_a_second_request(start: Start) -> None:
    served = await start()
    inner = GET + b"\r\n"
    reader, writer = await served.connect(POST + UPGRADE + b"Content-Length: %d\r\n\r\n%s" % (len(inner), inner))
    assert await answer_of(reader) == (200, inner)
    writer.write(POST.replace(b"/echo", b"/nowhere") + UPGRADE + b"Content-Length: %d\r\n\r\n" % len(inner))
    await served.turns()
    writer.write(inner + GET + UPGRADE + b"\r\n" + GET + b"Connection: close\r\n\r\n")
    assert [(await answer_of(reader))[0] for _ in range(3)] == [404, 200, 200]
    assert await reader.read() == b""
    writer.close()


async def test_what_follows_a_request_does_not_take_its_answer(start: Start) -> None:
    served = await start()
    for rest in (b"\x16\x03\x01\r\n\r\n", GET + b"x: " + b"y" * 200_000):
        served.app.state.go_on.clear()
        reader, writer = await served.connect(GET.replace(b"/ok", b"/waits") + b"\r\n")
        await served.turns()
        writer.write(rest)
        await writer.drain()
        await served.turns()
        served.check(100.0)
        served.app.state.go_on.set()
        assert await answer_of(reader) == (200, b"waited")
        assert await reader.read() == b""
        writer.close()


async def test_head_is_answered_like_get_without_a_body(start: Start) -> None:
    served = await start()
    reader, writer = await served.connect(GET.replace(b"GET", b"HEAD") + b"Connection: close\r\n\r\n")
    answer = await reader.read()
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert b"content-length: 4\r\n" in answer
    assert answer.endswith(b"\r\n\r\n")
    writer.close()


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (b"Content-Type: application/json\r\n", 200),
        (b"Content-Type: application/cloudevents+json; charset=utf-8\r\n", 200),
        (b"Content-Type: text/plain\r\n", 415),
        (b"Content-Type: application/x-www-form-urlencoded\r\n", 415),
        (b"Content-Type: multipart/form-data; boundary=json\r\n", 415),
        (b"Content-Type: text/plain; x=application/json\r\n", 415),
        (b"Content-Type: application/json, text/plain\r\n", 415),
        (b"Content-Type: application/jsonx\r\n", 415),
        (b"Content-Type: application/json\r\nContent-Type: text/plain\r\n", 415),
        (b"Content-Type: \xc3\xbc\r\n", 415),
        (b"", 415),
        (b"Content-Type: application/json\r\nContent-Encoding: gzip\r\n", 415),
        (b"Content-Type: application/json\r\nContent-Encoding: br\r\n", 415),
    ],
)
async def test_a_body_is_plain_json(start: Start, headers: bytes, status: int) -> None:
    served = await start()
    answer = await served.ask(b"POST /echo HTTP/1.1\r\nHost: x\r\n%sContent-Length: 5\r\n\r\n\xef\xbb\xbf{}" % headers)
    assert answer == (200, b"{}") if status == 200 else code_of(answer) == (415, "unsupported_media_type")


async def test_of_transfer_codings_only_chunks_are_read(start: Start) -> None:
    served = await start()
    for coding, status in ((b"chunked", 200), (b"gzip, chunked", 415)):
        head = b"POST /echo HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: %s\r\n\r\n"
        assert (await served.ask(head % coding + b"2\r\n{}\r\n0\r\n\r\n"))[0] == status


async def test_a_server_looks_once_a_second_and_often_while_an_answer_is_not_taken(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is open: each look wakes an idle process."""
    ticks, tick = list[int](), Server.on_tick

    async def counted(server: Server, counter: int) -> bool:
        ticks.append(counter)
        return await tick(server, counter)

    monkeypatch.setattr(Server, "on_tick", counted)
    served = await start()
    _, writer = await served.connect(GET)
    begun = asyncio.get_running_loop().time()
    await eventually(lambda: ticks.count(0) >= 3, within_s=10)
    assert len(ticks) == 3
    assert asyncio.get_running_loop().time() - begun > 1.5
    (connection,) = served.server.server_state.connections
    connection.pause_writing()
    await eventually(lambda: len(ticks) >= 3 + 20, within_s=10)
    assert ticks[3:].count(0) <= 4
    connection.resume_writing()
    writer.close()
