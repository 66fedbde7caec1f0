"""Create the topics that are missing."""

from collections.abc import Iterable
from typing import Final

import structlog
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from notes_contracts import Topic

log = structlog.get_logger()

REPLICAS: Final = 3
"""Copies of every record, where there are as many brokers."""


class TopicMismatch(Exception):
    """A topic is there with another number of partitions. Keys would go astray: never changed in place."""


async def provision(bootstrap: str, topics: Iterable[Topic]) -> list[str]:
    """Create those topics that do not exist; return their names.

    Raises TopicMismatch, and KafkaError where the cluster refuses or is away.
    """
    wanted = {topic.name: topic for topic in topics}
    admin = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    await admin.start()
    try:
        present = set(await admin.list_topics())
        missing = [topic for name, topic in wanted.items() if name not in present]
        created = []
        if missing:
            brokers = len((await admin.describe_cluster())["brokers"])
            answer = await admin.create_topics([_new(topic, min(REPLICAS, brokers)) for topic in missing])
            for name, code, *_ in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:
                    raise error(f"topic {name} was not created")
                created.append(name)
        for found in await admin.describe_topics(sorted(set(wanted) & present)):
            partitions = len(found["partitions"])
            if partitions != wanted[found["topic"]].partitions:
                raise TopicMismatch(
                    f"topic {found['topic']} has {partitions} partitions, not {wanted[found['topic']].partitions}"
                )
    finally:
        await admin.close()
    return created


def _new(topic: Topic, replicas: int) -> NewTopic:
    return NewTopic(
        name=topic.name,
        num_partitions=topic.partitions,
        replication_factor=replicas,  # aiokafka does not let -1, the cluster's default, through
        topic_configs={
            "retention.ms": str(topic.retention_ms),
            "max.message.bytes": str(topic.max_bytes),
            "cleanup.policy": "delete",
        },
    )
