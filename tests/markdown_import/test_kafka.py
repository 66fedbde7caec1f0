"""The importer's Kafka, against a real broker."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable
from functools import partial
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, client
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from notes_contracts import (
    Outcome,
    UpdateNote,
    Written,
    digest_of,
    partition_of,
    write,
)
from notes_contracts.topics import PARTITIONS
from tests.harness.proxy import Proxy, proxied
from tests.harness.waiting import eventually
from tests.servers.addresses import Servers
from tests.servers.kafka import Topics
from tools.markdown_import import ImportStoppedError
from tools.markdown_import import kafka as kafka_module
from tools.markdown_import.kafka import connected

IDS = [f"{number:08x}-2222-4333-8444-555555555555" for number in range(50)]


@pytest.fixture
def addresses(servers: Servers, topics: Topics) -> tuple[str, str, str]:
    return servers.kafka, topics.commands, topics.outcomes


@pytest.fixture
async def producer(servers: Servers) -> AsyncIterator[AIOKafkaProducer]:
    async with AIOKafkaProducer(bootstrap_servers=servers.kafka) as producer:
        yield producer


def outcome(command_id: str) -> Written:
    answer = Outcome(
        command_id=command_id,
        note_id=IDS[0],
        status="accepted",
        version=1,
        error=None,
        at="2026-01-02T03:04:05.678Z",
        digest=digest_of(UpdateNote(note_id=IDS[0], body="b")),
    )
    return write(answer, id=command_id)


async def send(producer: AIOKafkaProducer, topic: str, record: Written) -> None:
    await producer.send_and_wait(topic, key=record.key, value=record.value, headers=list(record.headers))


async def test_commands_land_where_javas_client_would_put_them_with_their_headers(
    addresses: tuple[str, str, str],
) -> None:
    commands = [write(UpdateNote(note_id=id_, body="é" * 100_000), id=id_, source="here") for id_ in IDS]
    async with connected({"NOTES_KAFKA": addresses[0]}, *addresses[1:]) as kafka:
        await kafka.publish(commands)

    found: dict[bytes, tuple[bytes, tuple[tuple[str, bytes], ...]]] = {}
    async with AIOKafkaConsumer(addresses[1], bootstrap_servers=addresses[0], auto_offset_reset="earliest") as consumer:
        while len(found) < len(IDS):
            record = await consumer.getone()
            assert record.partition == partition_of(record.key, PARTITIONS)
            found[record.key] = (record.value, record.headers)
    assert found == {record.key: (record.value, record.headers) for record in commands}


async def test_outcomes_written_after_opening_are_received_and_earlier_ones_and_nonsense_are_not(
    addresses: tuple[str, str, str], producer: AIOKafkaProducer
) -> None:
    await send(producer, addresses[2], outcome(IDS[0]))
    async with connected({"NOTES_KAFKA": addresses[0]}, *addresses[1:]) as kafka:
        nonsense = outcome(IDS[1])
        await send(producer, addresses[2], Written(nonsense.key, b"{", nonsense.headers))
        await send(producer, addresses[2], Written(nonsense.key, nonsense.value, ()))
        await send(producer, addresses[2], outcome(IDS[2]))
        received: list[Outcome] = []
        while not received:
            received = await kafka.receive(1)
    assert [each.command_id for each in received] == [IDS[2]]


async def test_the_system_has_one_name_and_its_topics_must_be_there(addresses: tuple[str, str, str]) -> None:
    async with connected({"NOTES_KAFKA": addresses[0]}, *addresses[1:]) as kafka:
        first = kafka.target
    async with connected({"NOTES_KAFKA": addresses[0]}, *addresses[1:]) as kafka:
        assert kafka.target == first
    assert re.fullmatch(rf"{re.escape(addresses[1])} with the id [0-9a-f]{{32}}", first)

    with pytest.raises(ImportStoppedError, match="has no topic no-such-topic: run `make up`"):
        async with connected({"NOTES_KAFKA": addresses[0]}, "no-such-topic", addresses[2]):
            pass


async def test_a_topic_that_was_made_anew_is_another_system(addresses: tuple[str, str, str]) -> None:
    name, seen = f"{addresses[1]}-anew", set[str]()
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses[0])
    await admin.start()
    for _ in range(2):
        await admin.create_topics([NewTopic(name, 1, 1)])
        await eventually(lambda: admin.describe_topics([name]), lambda found: not found[0]["error_code"])
        async with connected({"NOTES_KAFKA": addresses[0]}, name, addresses[2]) as kafka:
            seen.add(kafka.target)
        await admin.delete_topics([name])
        await eventually(lambda: admin.describe_topics([name]), lambda found: found[0]["error_code"])
    await admin.close()
    assert len(seen) == 2, "the cluster is the same, and so may be that of a system that was purged"


async def test_a_broker_that_dies_on_the_way_ends_in_a_sentence(
    addresses: tuple[str, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    host, port = addresses[0].split(":")
    async with proxied(host, int(port)) as proxy:
        with monkeypatch.context() as patch:
            patch.setattr(kafka_module, "PUBLISH_S", 1.0)
            patch.setattr(client, "create_conn", partial(connect_through, proxy.port, client.create_conn))
            with pytest.raises(TimeoutError):
                await publish_cutting(proxy, addresses)


async def publish_cutting(proxy: Proxy, addresses: tuple[str, str, str]) -> None:
    async with connected({"NOTES_KAFKA": addresses[0]}, *addresses[1:]) as kafka:
        await kafka.publish([write(UpdateNote(note_id=IDS[0], body="arrives"), id=IDS[0])])
        await proxy.cut()
        await kafka.publish([write(UpdateNote(note_id=IDS[0], body="does not"), id=IDS[1])])


def connect_through(port: int, connect: Callable[..., Awaitable[Any]], host: str, _: int, **options: Any) -> Any:
    return connect(host, port, **options)
