"""How answers end that uvicorn would end otherwise."""

import asyncio
import logging

import pytest
from chassis_support.http_server import GET, Start, answer_of, code_of

from notes_chassis.http import server as of_server
from tests.harness.waiting import eventually


async def test_over_http_1_0_a_stream_has_no_chunks_and_ends_with_the_connection(start: Start) -> None:
    served = await start()
    reader, writer = await served.connect(b"GET /parts HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert head.startswith(b"http/1.1 200 ")
        assert b"chunked" not in head
        assert b"connection: close\r\n" in head
        assert await reader.readexactly(4) == b"one "
        served.app.state.go_on.set()
        assert await reader.read() == b"two"
    writer.close()


async def test_over_http_1_0_what_has_a_length_says_so(start: Start) -> None:
    served = await start()
    for path, body in ((b"/ok", b"fine"), (b"/nothing", b"")):
        reader, writer = await served.connect(b"GET %s HTTP/1.0\r\n\r\n" % path)
        async with asyncio.timeout(10):
            answer = await reader.read()
        assert b"\r\ncontent-length: " in answer
        assert answer.endswith(b"\r\n\r\n" + body) or b"not_found" in answer
        writer.close()
    reader, writer = await served.connect(b"HEAD /parts HTTP/1.0\r\n\r\n")
    async with asyncio.timeout(10):
        assert (await reader.read()).endswith(b"\r\n\r\n")
    writer.close()


async def test_a_request_that_the_end_of_the_service_cancels_is_told_to_try_again(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(of_server, "GRACE_S", 0.2)
    served = await start()
    waiting = [await served.connect(GET.replace(b"/ok", b"/waits") + b"\r\n") for _ in range(3)]
    begun, begun_writer = await served.connect(GET.replace(b"/ok", b"/parts") + b"\r\n")
    async with asyncio.timeout(10):
        await begun.readuntil(b"one ")
        await eventually(lambda: len(served.server.server_state.tasks), lambda found: found >= 4)
    with caplog.at_level(logging.ERROR, "uvicorn.error"):
        served.server.end()
        for reader, writer in waiting:
            answer = await answer_of(reader)
            assert code_of(answer) == (503, "unavailable")
            async with asyncio.timeout(10):
                assert await reader.read() == b""
            writer.close()
        async with asyncio.timeout(10):
            with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
                await begun.readuntil(b"0\r\n\r\n")  # an answer that is cut must not look whole
    begun_writer.close()
    assert not [record for record in caplog.records if record.exc_info]
