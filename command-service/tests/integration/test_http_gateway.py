"""The gateway on real servers: every command, the key that makes a repeat harmless, Kafka away, and a plain end."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from aiokafka.protocol.metadata import MetadataRequest
from command_support.processes import environment

from notes_chassis.kafka.cluster import Cluster
from notes_command.errors import ConnectionLost, TopicUnavailable
from notes_command.gateway import command_topic, outcomes
from notes_command.gateway.command_topic import KafkaCommandTopic
from notes_command.pipeline.store import PostgresStore
from notes_command.signals import CommitListener
from notes_contracts import DeleteNote, partition_of, write
from tests.e2e.service_process import ServiceProcess
from tests.harness.kafka_io import new_id
from tests.harness.proxy import proxied
from tests.harness.waiting import eventually

PATIENT = {"Prefer": "wait=30"}
LIFE: list[tuple[str, dict[str, Any]]] = [
    ("create-note", {"title": "One", "body": "b", "tags": ["a"], "author": "me"}),
    ("update-note", {"body": "c", "expected_version": 1}),
    ("rename-note", {"title": "Two"}),
    ("tag-note", {"tag": "B"}),
    ("untag-note", {"tag": "a"}),
    ("archive-note", {}),
    ("restore-note", {}),
    ("delete-note", {"expected_version": 7}),
]


async def post(client: httpx.AsyncClient, name: str, data: dict[str, Any], **headers: str) -> httpx.Response:
    named = {key.replace("_", "-"): value for key, value in headers.items()}
    return await client.post(f"/commands/{name}", json=data, headers=named, timeout=60)


async def test_a_client_waits_no_longer_when_the_reply_to_a_commit_was_lost(
    write_side: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The retry finds the outcome among those that are known, and an instance that is alone announces nothing."""
    monkeypatch.setattr(outcomes, "POLL_S", 3600)
    monkeypatch.setattr(CommitListener, "others", property(lambda _: False))
    save, lost = PostgresStore.save, list[object]()

    async def save_and_lose(self: PostgresStore, *given: Any) -> None:
        await save(self, *given)
        if not lost:
            lost.append(given)
            raise ConnectionLost("the reply")

    note_id = new_id()
    async with write_side.running() as client:
        await post(client, "create-note", {"note_id": note_id, "title": "T"}, **PATIENT)
        monkeypatch.setattr(PostgresStore, "save", save_and_lose)
        answer = await post(client, "update-note", {"note_id": note_id, "body": "b"}, Prefer="wait=10")
    assert (answer.status_code, len(lost)) == (200, 1)


async def test_a_note_lives_its_whole_life_over_http(write_side: Any) -> None:
    note_id = new_id()
    async with write_side.running() as client:
        for version, (name, data) in enumerate(LIFE, 1):
            answer = await post(client, name, {"note_id": note_id, **data}, **PATIENT)
            assert (answer.status_code, answer.json()["version"]) == (200, version), answer.text
            asked = await client.get(answer.headers["location"])
            assert asked.json() == answer.json()
            if version == 5:
                shown = (await client.get(f"/notes/{note_id}")).json()
                assert (shown["title"], shown["body"], shown["tags"], shown["version"]) == ("Two", "c", ["b"], 5)
        refused = await post(client, "delete-note", {"note_id": note_id}, **PATIENT)
        assert (refused.status_code, refused.json()["code"]) == (410, "note_deleted")
        assert (await client.get(f"/notes/{note_id}")).status_code == 410
    events = await write_side.events(8)
    assert [json.loads(event.value)["version"] for event in events] == list(range(1, 9))


async def test_a_key_stands_for_its_first_command(write_side: Any) -> None:
    key = new_id()
    async with write_side.running() as client:
        first = await post(client, "create-note", {"title": "First"}, Idempotency_Key=key, **PATIENT)
        note_id = first.json()["note_id"]
        moved_on = await post(client, "update-note", {"note_id": note_id, "body": "later"}, **PATIENT)
        again = await post(client, "create-note", {"title": " First "}, Idempotency_Key=key, **PATIENT)
        other = await post(client, "create-note", {"title": "Other"}, Idempotency_Key=key, **PATIENT)
        shown = (await client.get(f"/notes/{note_id}")).json()
    assert moved_on.json()["version"] == 2
    assert (again.status_code, again.json()) == (200, first.json())
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert other.json()["outcome"] == first.json()
    assert (shown["title"], shown["version"]) == ("First", 2)


async def test_outcomes_reach_whoever_waits_for_them_on_any_instance(
    write_side: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both instances wait for a note of each partition: whoever owns it, the other one has to be told."""
    monkeypatch.setattr(outcomes, "POLL_S", 3600.0)
    async with write_side.running() as one, write_side.running() as two:
        notes: dict[int, str] = {}
        while len(notes) < 12:
            note_id = new_id()
            notes.setdefault(partition_of(note_id.encode(), 12), note_id)
        made = await asyncio.gather(
            *(post(one, "create-note", {"note_id": each, "title": "T"}, **PATIENT) for each in notes.values())
        )
        changed = await asyncio.gather(
            *(post(two, "update-note", {"note_id": each, "body": "b"}, **PATIENT) for each in notes.values())
        )
    assert {answer.status_code for answer in made + changed} == {200}
    assert {answer.json()["version"] for answer in changed} == {2}


async def test_without_kafka_a_command_is_503_at_once_or_soon_and_taken_again_when_it_is_back(write_side: Any) -> None:
    address = urlsplit(f"//{write_side.settings.kafka}")
    async with proxied(address.hostname or "", address.port or 0) as kafka:
        await kafka.cut()
        async with write_side.running(kafka=f"127.0.0.1:{kafka.port}") as client:
            refused = await post(client, "create-note", {"title": "T"})
            assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
            assert int(refused.headers["retry-after"]) > 0
            assert (await client.get("/readyz")).status_code == 503
            await kafka.mend()
            key = refused.json()["command_id"]
            async with asyncio.timeout(60):
                while (answer := await post(client, "create-note", {"title": "T"}, Idempotency_Key=key)).is_error:
                    assert answer.status_code == 503
            waited = await client.get(f"/commands/{key}?wait=30", timeout=60)
            assert (waited.status_code, waited.json()["status"]) == (200, "accepted")


@asynccontextmanager
async def silent() -> AsyncIterator[str]:
    """Give the address of a broker that takes everything and never answers."""
    open_ones: list[asyncio.StreamWriter] = []

    async def swallow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_ones.append(writer)
        while await reader.read(65536):
            pass

    server = await asyncio.start_server(swallow, "127.0.0.1", 0)
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        for writer in open_ones:
            writer.transport.abort()


async def test_a_kafka_that_never_answers_holds_so_many_commands_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command_topic, "IN_FLIGHT", 20)
    monkeypatch.setattr(command_topic, "SEND_S", 1.5)
    record = write(DeleteNote(note_id=new_id()), id=new_id())
    took: list[tuple[float, str]] = []

    async def one(topic: KafkaCommandTopic) -> None:
        started = time.monotonic()
        with pytest.raises(TopicUnavailable) as refused:
            await topic.send(record)
        took.append((time.monotonic() - started, str(refused.value)))

    async with silent() as address:
        topic = KafkaCommandTopic(Cluster(address), "commands")
        await asyncio.gather(*(one(topic) for _ in range(300)))
        at_once = [seconds for seconds, why in took if "already" in why]
        assert len(at_once) == 280
        assert max(at_once) < 1.4
        await one(topic)
        assert took[-1][0] > 1.4, "there is room again"
        await topic.close()


async def test_readiness_asks_kafka_for_its_own_topic_and_no_other(
    write_side: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, asked = MetadataRequest.__init__, list[Any]()

    def ask(self: MetadataRequest, topics: Any = None, *rest: Any) -> None:
        asked.append(topics)
        made(self, topics, *rest)

    topic = KafkaCommandTopic(Cluster(write_side.settings.kafka), write_side.settings.topic_commands)
    try:
        await topic.check()
        monkeypatch.setattr(MetadataRequest, "__init__", ask)
        for _ in range(3):
            await topic.check()
    finally:
        await topic.close()
    assert asked == [[topic.topic]] * 3


async def test_a_service_told_to_end_keeps_its_word(write_side: Any, tmp_path: Path) -> None:
    """Every command that was answered 200 or 202 has an outcome, whatever it was doing when the signal came."""
    service = ServiceProcess("command", environment(write_side.settings), tmp_path / "command.log")
    answered: set[str] = set()
    statuses: set[int] = set()

    async def client_loop(number: int, ended: asyncio.Event) -> None:
        async with httpx.AsyncClient(base_url=service.url, timeout=60) as client:
            while not ended.is_set():
                try:
                    answer = await post(client, "create-note", {"title": "T"}, **(PATIENT if number % 2 else {}))
                except httpx.TransportError:
                    return  # nobody was told anything
                statuses.add(answer.status_code)
                if answer.is_success:
                    answered.add(answer.headers["location"].rpartition("/")[2])

    ended = asyncio.Event()
    try:
        await asyncio.to_thread(service.start)
        async with asyncio.TaskGroup() as clients:
            for number in range(16):
                clients.create_task(client_loop(number, ended))
            await eventually(lambda: len(answered) >= 200)
            code = await asyncio.to_thread(service.terminate)
            ended.set()
    finally:
        service.kill()
    assert code == 0, service.log_tail()
    assert statuses <= {200, 202, 503}, statuses
    async with write_side.running():
        known = await write_side.read_until(
            write_side.settings.topic_outcomes,
            lambda found: answered <= {json.loads(record.value)["command_id"] for record in found},
        )
    counted = [json.loads(record.value)["command_id"] for record in known]
    assert len({(json.loads(record.value)["command_id"], record.value) for record in known}) == len(set(counted))
