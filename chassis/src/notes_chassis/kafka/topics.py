"""Looks for topics, and creates the ones that are missing."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from typing import Any, Final, Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

REPLICAS: Final = 3
"""Copies of every record, where there are as many brokers."""


class Topic(Protocol):
    """A topic as it should be. `retention_ms` -1 is for ever; `max_bytes` is the largest record."""

    @property
    def name(self) -> str:
        """Its name."""

    @property
    def partitions(self) -> int:
        """How many."""

    @property
    def retention_ms(self) -> int:
        """How long records are kept."""

    @property
    def max_bytes(self) -> int:
        """The largest record."""


class TopicMismatch(Exception):
    """A topic is there with another number of partitions. Keys would go astray: never changed in place."""


@asynccontextmanager
async def _admin(bootstrap: str) -> AsyncIterator[Any]:
    admin: Any = AIOKafkaAdminClient(bootstrap_servers=bootstrap)
    try:
        await admin.start()
        yield admin
    finally:
        await admin.close()


async def missing(bootstrap: str, names: Iterable[str]) -> list[str]:
    """Return the names that no topic has. Raises KafkaError or OSError while Kafka is away."""
    async with _admin(bootstrap) as admin:
        return sorted(set(names) - set(await admin.list_topics()))


async def provision(bootstrap: str, topics: Iterable[Topic]) -> list[str]:
    """Create those topics that do not exist; return their names.

    Raises TopicMismatch, and KafkaError or OSError where the cluster refuses or is away.
    """
    wanted = {topic.name: topic for topic in topics}
    async with _admin(bootstrap) as admin:
        present = set(wanted) & set(await admin.list_topics())
        created = sorted(set(wanted) - present)
        if created:
            replicas = min(REPLICAS, len((await admin.describe_cluster())["brokers"]))
            answer = await admin.create_topics([_new(wanted[name], replicas) for name in created])
            for name, code, *_ in answer.topic_errors:
                error = for_code(code)
                if code and error is not TopicAlreadyExistsError:  # someone else was faster: fine
                    raise error(f"topic {name} was not created")
        for found in await admin.describe_topics(sorted(present)) if present else ():
            topic, partitions = wanted[found["topic"]], len(found["partitions"])
            if partitions != topic.partitions:
                raise TopicMismatch(f"topic {topic.name} has {partitions} partitions, not {topic.partitions}")
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
