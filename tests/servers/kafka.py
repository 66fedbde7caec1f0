"""Topics per test, with the partitions and sizes that the real ones have."""

import asyncio
import uuid
from collections.abc import Iterator
from dataclasses import astuple, dataclass
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code

from notes_contracts.topics import TOPICS, Topic
from tests.servers.addresses import Servers
from tests.servers.background import Background


@dataclass(frozen=True)
class Topics:
    """Names, in the order of the contracts' TOPICS."""

    commands: str
    events: str
    outcomes: str
    command_dead_letters: str
    event_dead_letters: str


@pytest.fixture
def topics(servers: Servers, background: Background) -> Iterator[Topics]:
    """Give five topics of this test's own, which go with the test."""
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    names = Topics(*(f"{prefix}.{topic.name}" for topic in TOPICS))
    background.run(create(servers.kafka, names))
    yield names
    background.run(delete(servers.kafka, names))


async def create(address: str, names: Topics) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        wanted = [
            NewTopic(name, topic.partitions, 1, topic_configs=configs(topic))
            for name, topic in zip(astuple(names), TOPICS, strict=True)
        ]
        answer: Any = await admin.create_topics(wanted)
        for name, code, *reason in answer.topic_errors:
            if code:
                raise for_code(code)(f"{name}: {reason}")
        async with asyncio.timeout(30):
            await published(admin, names)
    finally:
        await admin.close()


async def published(admin: AIOKafkaAdminClient, names: Topics) -> None:
    """Wait until the broker tells of every partition: its answer to the creation comes before that."""
    wanted = dict(zip(astuple(names), (topic.partitions for topic in TOPICS), strict=True))
    while True:
        described = await admin.describe_topics(list(wanted))
        if {one["topic"]: len(one["partitions"]) for one in described} == wanted:
            return
        await asyncio.sleep(0.05)


def configs(topic: Topic) -> dict[str, str]:
    return {"max.message.bytes": str(topic.max_bytes), "retention.ms": str(topic.retention_ms)}


async def delete(address: str, names: Topics) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.delete_topics(list(astuple(names)))
    finally:
        await admin.close()
