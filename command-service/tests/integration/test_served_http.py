"""The service as a process of its own: what no test client sends, and what is in its log afterwards."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from command_support.processes import environment

from notes_chassis.http.limits import BODY_BYTES
from tests.e2e.service_process import ServiceProcess
from tests.harness.kafka_io import Sent, new_id

SECRET = "dear-diary"
HEAD = b"POST /commands/create-note HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
GOOD = b'{"title": "T"}'


@pytest.fixture
async def service(write_side: Any, tmp_path: Path) -> AsyncIterator[ServiceProcess]:
    settings = environment(write_side.settings, NOTES_COMMAND_LOG_LEVEL="debug")
    service = ServiceProcess("command", settings, tmp_path / "command.log")
    try:
        await asyncio.to_thread(service.start)
        yield service
    finally:
        service.kill()


def chunks(count: int) -> bytes:
    one = b"%x\r\n%s\r\n" % (64 * 1024, b"x" * 64 * 1024)
    return one * count


async def status_of(service: ServiceProcess, request: bytes) -> int:
    """Return the status that these bytes are answered with, sent on a connection of their own."""
    address = urlsplit(service.url)
    async with asyncio.timeout(60):
        reader, writer = await asyncio.open_connection(address.hostname, address.port)
        try:
            writer.write(request)
            line = await reader.readline()
            return int(line.split()[1])
        finally:
            writer.transport.abort()


async def test_bytes_that_are_no_good_request(service: ServiceProcess) -> None:
    table = {
        413: [
            HEAD + b"Content-Length: %d\r\n\r\n" % (BODY_BYTES + 1),
            HEAD + b"Content-Length: %d\r\n\r\n" % 10**15,
            HEAD + b"Transfer-Encoding: chunked\r\n\r\n" + chunks(BODY_BYTES // (64 * 1024) + 1),
        ],
        422: [
            HEAD + b"Content-Length: 0\r\n\r\n",
            HEAD + b"\r\n",
            HEAD + b"Idempotency-Key: \xff\r\nContent-Length: 14\r\n\r\n" + GOOD,
            HEAD + b"Content-Length: 3\r\n\r\n\0\0\0",
        ],
        400: [
            b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03\r\n\r\n",
            HEAD + b"Content-Length: -1\r\n\r\n",
            HEAD + b"Content-Length: 14\r\nContent-Length: 15\r\n\r\n" + GOOD,
            HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        ],
        404: [b"POST /commands/shred-note HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"],
        405: [b"PUT /commands/create-note HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"],
    }
    for status, requests in table.items():
        for request in requests:
            assert await status_of(service, request) == status, request[:200]
    assert await status_of(service, HEAD + b"Content-Length: 14\r\n\r\n" + GOOD) == 202
    assert await status_of(service, HEAD + b"Prefer: wait=30\r\nContent-Length: 14\r\n\r\n" + GOOD) == 200


async def test_clients_that_go_away_do_no_harm(service: ServiceProcess) -> None:
    address = urlsplit(service.url)
    for _ in range(20):
        _, writer = await asyncio.open_connection(address.hostname, address.port)
        writer.write(HEAD + b"Content-Length: 1000\r\n\r\n{")
        await writer.drain()
        writer.transport.abort()
    assert await status_of(service, HEAD + b"Prefer: wait=30\r\nContent-Length: 14\r\n\r\n" + GOOD) == 200
    assert "Traceback" not in service.log.read_text()


async def test_no_line_of_the_log_holds_anything_of_a_note(service: ServiceProcess, write_side: Any) -> None:
    """Accepted, refused, invalid, undecodable, over HTTP and over Kafka: with everything logged that can be."""
    data = {"note_id": new_id(), "title": SECRET, "body": SECRET, "tags": [SECRET], "author": SECRET}
    patient = {"Prefer": "wait=30"}
    async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
        for status, body in ((200, data), (409, data), (422, data | {SECRET: SECRET}), (422, data | {"tags": SECRET})):
            answer = await client.post("/commands/create-note", json=body, headers=patient)
            assert answer.status_code == status, answer.text
        as_json = patient | {"Content-Type": "application/json"}
        broken = await client.post("/commands/create-note", content=f'{{"{SECRET}'.encode(), headers=as_json)
        assert broken.status_code == 422

    def sent(value: bytes, name: str) -> Sent:
        headers = [("ce_id", new_id().encode()), ("ce_type", f"notes.command.{name}.v1".encode())]
        return Sent(data["note_id"].encode(), value, headers)

    await write_side.publish(
        [
            sent(f'{{"{SECRET}'.encode(), "create-note"),
            sent(json.dumps({"title": [SECRET], SECRET: 1}).encode(), "create-note"),
            sent(json.dumps(data).encode(), f"{SECRET}-note"),
        ]
    )
    await write_side.outcomes(5)
    log = service.log.read_text()
    assert data["note_id"] in log
    assert SECRET not in log
