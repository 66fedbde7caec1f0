"""The service as it is deployed: a process of its own. What only ends in a sentence is forked, but for one."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest
from query_support.fixtures import Samples, Send, Settings

from tests.harness.programs import until_ended
from tests.harness.waiting import eventually

STARTED_S = 60


@pytest.fixture
def environment(settings: Settings, unused_tcp_port: int) -> dict[str, str]:
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


async def test_it_serves_and_a_signal_ends_it_plainly_though_a_reader_waits(
    environment: Any, samples: Samples, send: Send, settings: Settings, tmp_path: Path
):
    log = tmp_path / "log"
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "notes_query", "serve", env=environment, stdout=output, stderr=output
        )
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
            await eventually(
                lambda: client.get("/metrics"),
                lambda found: 'notes_query_awaited{kind="notes"} 1.0' in found.text,
                within_s=8,
            )
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


async def test_topics_are_created_once_and_a_wrong_one_is_refused(environment: Any, settings: Settings):
    changed = environment | {"NOTES_TOPIC_EVENT_DEAD_LETTERS": f"{settings.topic_events}.new"}
    for expected in (f'"created": ["{settings.topic_events}.new"]', '"created": []'):
        done = await until_ended("notes_query", "topics", environment=changed)
        assert done.code == 0
        assert expected in done.err

    wrong = changed | {"NOTES_TOPIC_EVENTS": settings.topic_event_dead_letters}
    done = await until_ended("notes_query", "topics", environment=wrong)
    assert done.code == 1
    assert "1 partitions, not 12" in done.err


@pytest.mark.parametrize(
    ("name", "value", "words", "deployed"),
    [
        ("NOTES_QUERY_PORT", "eighty", ["serve"], True),
        ("NOTES_QUERY_LOG_LEVEL", "loud", ["topics"], False),
        ("NOTES_COMMAND_URL", "http://notes:s3cr3t@h:port", ["serve"], False),
        ("NOTES_MONGO", "mongodb://notes:s3cr3t@h:port/x", ["serve"], False),
        ("NOTES_MONGO", "mongo://notes:s3cr3t@h", ["gaps"], False),
    ],
)
async def test_a_wrong_setting_is_a_sentence(
    *, environment: Any, name: str, value: str, words: list[str], deployed: bool
):
    done = await until_ended("notes_query", *words, environment=environment | {name: value}, deployed=deployed)

    assert (done.code, done.out) == (2, "")
    (line,) = done.err.splitlines()
    assert line.startswith(f"{name}: ")
    assert "s3cr3t" not in line


async def test_topics_gives_up_in_a_sentence_when_kafka_is_away(environment: Any, unused_tcp_port: int):
    away = environment | {"NOTES_KAFKA": f"127.0.0.1:{unused_tcp_port}"}

    done = await until_ended("notes_query", "topics", "--timeout", "0.5", environment=away)

    assert done.code == 1
    assert "Kafka did not do as asked within 0.5 s" in done.err
