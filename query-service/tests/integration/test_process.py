"""The service as it is deployed: a process of its own."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

STARTED_S = 60


@pytest.fixture
def environment(settings: Any, unused_tcp_port: int) -> dict[str, str]:
    return {
        **os.environ,
        "NOTES_KAFKA": settings.kafka,
        "NOTES_MONGO": settings.mongo,
        "NOTES_TOPIC_EVENTS": settings.topic_events,
        "NOTES_TOPIC_OUTCOMES": settings.topic_outcomes,
        "NOTES_TOPIC_EVENT_DEAD_LETTERS": settings.topic_event_dead_letters,
        "NOTES_QUERY_GROUP": settings.query_group,
        "NOTES_QUERY_PORT": str(unused_tcp_port),
    }


async def start(log: Path, environment: dict[str, str], *arguments: str) -> asyncio.subprocess.Process:
    with log.open("wb") as output:
        return await asyncio.create_subprocess_exec(
            sys.executable, "-m", "notes_query", *arguments, env=environment, stdout=output, stderr=output
        )


async def test_it_serves_and_a_signal_ends_it_plainly_though_a_reader_waits(
    environment: Any, samples: Any, send: Any, settings: Any, tmp_path: Path
):
    log = tmp_path / "log"
    process = await start(log, environment, "serve")
    address = f"http://127.0.0.1:{environment['NOTES_QUERY_PORT']}"
    try:
        async with httpx.AsyncClient(base_url=address, timeout=30) as client:
            async with asyncio.timeout(STARTED_S):
                while not await ready(client):
                    assert process.returncode is None, log.read_text()
                    await asyncio.sleep(0.1)
            await send(settings.topic_events, samples.record(samples.created()))
            answer = await client.get(f"/notes/{samples.note}?min_version=1&wait=10")
            assert answer.headers["consistency"] == "current"
            page = await client.get("/asyncapi")
            assert settings.topic_events in page.text
            assert "NoteCreated" in page.text
            assert "asyncapi/try" not in page.text

            waiting = asyncio.create_task(client.get(f"/notes/{samples.note}?min_version=2&wait=10"))
            async with asyncio.timeout(8):
                while 'notes_query_awaited{kind="notes"} 1.0' not in (await client.get("/metrics")).text:
                    await asyncio.sleep(0.02)
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(8):
                assert (await waiting).headers["consistency"] == "stale"
                assert await process.wait() == 0, log.read_text()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert "Traceback" not in log.read_text()


async def ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/readyz")).status_code == 200
    except httpx.TransportError:
        return False


async def test_topics_are_created_once_and_a_wrong_one_is_refused(environment: Any, settings: Any, tmp_path: Path):
    changed = environment | {"NOTES_TOPIC_EVENT_DEAD_LETTERS": f"{settings.topic_events}.new"}
    for expected in (f'"created": ["{settings.topic_events}.new"]', '"created": []'):
        process = await start(tmp_path / "log", changed, "topics")
        assert await process.wait() == 0
        assert expected in (tmp_path / "log").read_text()

    wrong = changed | {"NOTES_TOPIC_EVENTS": settings.topic_event_dead_letters}
    process = await start(tmp_path / "log", wrong, "topics")
    assert await process.wait() == 1
    assert "1 partitions, not 12" in (tmp_path / "log").read_text()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("NOTES_QUERY_PORT", "eighty", ["serve"]),
        ("NOTES_QUERY_LOG_LEVEL", "loud", ["topics"]),
        ("NOTES_COMMAND_URL", "http://notes:s3cr3t@h:port", ["serve"]),
        ("NOTES_MONGO", "mongodb://notes:s3cr3t@h:port/x", ["serve"]),
        ("NOTES_MONGO", "mongo://notes:s3cr3t@h", ["gaps"]),
    ],
)
async def test_a_wrong_setting_is_a_sentence(environment: Any, tmp_path: Path, name: str, value: str, words: list[str]):
    process = await start(tmp_path / "log", environment | {name: value}, *words)

    assert await process.wait() == 2
    (line,) = (tmp_path / "log").read_text().splitlines()
    assert line.startswith(f"{name}: ")
    assert "s3cr3t" not in line


async def test_topics_gives_up_in_a_sentence_when_kafka_is_away(environment: Any, unused_tcp_port: int, tmp_path: Path):
    away = environment | {"NOTES_KAFKA": f"127.0.0.1:{unused_tcp_port}"}

    process = await start(tmp_path / "log", away, "topics", "--timeout", "0.5")

    assert await process.wait() == 1
    assert "Kafka did not do as asked within 0.5 s" in (tmp_path / "log").read_text()
