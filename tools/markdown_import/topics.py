"""The two topics, as Kafka has them."""

import asyncio
from time import monotonic
from typing import Any

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from tools.markdown_import.addresses import Addresses
from tools.markdown_import.errors import ImportStoppedError

PATIENCE_S = 3.0
PAUSE_S = 0.1


async def look_at_topics(addresses: Addresses) -> tuple[str | None, list[TopicPartition]]:
    """Return the cluster's id and the partitions of the outcomes.

    Raises ImportStoppedError if a topic is missing, after a moment: a broker may not know yet what was just made.
    """
    admin = AIOKafkaAdminClient(bootstrap_servers=addresses.kafka)
    try:
        await admin.start()
        cluster = await admin.describe_cluster()
        topics = await _wait_for([addresses.commands, addresses.outcomes], admin, addresses.kafka)
    finally:
        await admin.close()
    numbers = sorted(partition["partition"] for partition in topics[addresses.outcomes]["partitions"])
    return cluster.get("cluster_id"), [TopicPartition(addresses.outcomes, number) for number in numbers]


async def _wait_for(names: list[str], admin: AIOKafkaAdminClient, kafka: str) -> dict[str, dict[str, Any]]:
    deadline = monotonic() + PATIENCE_S
    while True:
        found = {topic["topic"]: topic for topic in await admin.describe_topics(names) if not topic["error_code"]}
        missing = [name for name in names if name not in found]
        if not missing:
            return found
        if monotonic() > deadline:
            raise ImportStoppedError(
                f"Kafka at {kafka} has no topic {' and no topic '.join(missing)}: start the services with `make up`, "
                "or set NOTES_TOPIC_COMMANDS and NOTES_TOPIC_OUTCOMES."
            )
        await asyncio.sleep(PAUSE_S)
