"""Topics per test, with the partitions and sizes that the real ones have."""

import asyncio
import uuid
from collections import defaultdict
from dataclasses import astuple, dataclass
from typing import Any, Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import for_code
from aiokafka.protocol.offset import OffsetRequest

from notes_contracts.topics import TOPICS, Topic

LATEST: Final = -1  # what asks for the end of a partition


@dataclass(frozen=True)
class Topics:
    """Names, in the order of the contracts' TOPICS."""

    commands: str
    events: str
    outcomes: str
    command_dead_letters: str
    event_dead_letters: str


def new_names() -> Topics:
    """Return names that no other test has."""
    prefix = f"test-{uuid.uuid4().hex[:12]}"
    return Topics(*(f"{prefix}.{topic.name}" for topic in TOPICS))


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


async def published(admin: Any, names: Topics) -> None:
    """Wait until every partition has a leader that answers for it.

    The broker's answer to the creation comes before that, and so do its metadata. Who sends earlier is refused, and
    tries again a tenth of a second later: what was sent to another partition meanwhile comes first.
    """
    wanted = dict(zip(astuple(names), (topic.partitions for topic in TOPICS), strict=True))
    while await led(admin, list(wanted)) != wanted:
        await asyncio.sleep(0.02)


async def led(admin: Any, topics: list[str]) -> dict[str, int]:
    """Return how many partitions of each topic are answered for."""
    places: defaultdict[int, dict[str, list[tuple[int, int]]]] = defaultdict(dict)
    for topic in await admin.describe_topics(topics):
        for partition in topic["partitions"]:
            if partition["leader"] >= 0:
                places[partition["leader"]].setdefault(topic["topic"], []).append((partition["partition"], LATEST))
    found = dict.fromkeys(topics, 0)
    for node, asked in places.items():
        answer = await admin._send_request_to_node(node, OffsetRequest(-1, 0, list(asked.items())))
        for topic, answers in answer.topics:
            found[topic] += sum(not code for _, code, *_ in answers)
    return found


def configs(topic: Topic) -> dict[str, str]:
    return {
        "max.message.bytes": str(topic.max_bytes),
        "message.timestamp.type": "LogAppendTime",
        "retention.ms": str(topic.retention_ms),
    }


async def delete(address: str, names: Topics) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        await admin.delete_topics(list(astuple(names)))
    finally:
        await admin.close()
