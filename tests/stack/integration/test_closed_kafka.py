"""`make up AUTH=oidc` closes Kafka: over data of an open broker as well, with a user for each who has to do with it."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from stat import S_IMODE
from typing import Any

import pytest
from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, TopicAuthorizationFailedError

from tools.kafka_client import client_options
from tools.stack import kafka_users
from tools.stack.folder import Folder
from tools.stack.kafka import CONFIG
from tools.stack.native import start_servers, stop_servers

COMMANDS, EVENTS = "notes.commands", "notes.events"


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    made = Folder(tmp_path / "stack")
    yield made
    stop_servers(made, at_once=True)


async def make_topics(options: dict[str, Any]) -> None:
    admin = AIOKafkaAdminClient(**options)
    try:
        await admin.start()
        await admin.create_topics([NewTopic(COMMANDS, 1, 1), NewTopic(EVENTS, 1, 1)])
    finally:
        await admin.close()


async def write(options: dict[str, Any], topic: str) -> None:
    producer = AIOKafkaProducer(**options)
    try:
        await producer.start()
        await producer.send_and_wait(topic, b"{}")
    finally:
        await producer.stop()


@pytest.mark.timeout(120)
def test_a_broker_that_was_open_lets_in_its_users_alone_and_each_for_what_it_does(folder: Folder) -> None:
    address = start_servers(folder, ["kafka"], fast=True)["kafka"]
    asyncio.run(make_topics({"bootstrap_servers": address}))
    stop_servers(folder)

    assert start_servers(folder, ["kafka"], fast=True, closed=True) == {"kafka": address}
    users = kafka_users.passwords(folder)
    assert set(users) == {"admin", "upstream", "notes-command", "notes-query"}
    with pytest.raises(KafkaError):
        asyncio.run(write({"bootstrap_servers": address}, COMMANDS))

    def of(name: str) -> dict[str, Any]:
        return client_options({"NOTES_KAFKA": address, **kafka_users.variables(name, users[name])})

    asyncio.run(write(of("upstream"), COMMANDS))
    asyncio.run(write(of("notes-command"), EVENTS))
    for name, topic in (("upstream", EVENTS), ("notes-query", EVENTS), ("notes-query", COMMANDS)):
        with pytest.raises(TopicAuthorizationFailedError):
            asyncio.run(write(of(name), topic))
    assert {S_IMODE((folder.root / name).stat().st_mode) for name in (CONFIG, "kafka-users.json")} == {0o600}
