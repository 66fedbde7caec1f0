"""Looks for topics, and creates the ones that are missing."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager, suppress
from typing import Any, Final, Protocol

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import GroupCoordinatorNotAvailableError, KafkaError, TopicAlreadyExistsError, for_code

REPLICAS: Final = 3
"""Copies of every record, where there are as many brokers."""


COORDINATOR_S: Final = 10.0
"""Seconds that a new cluster gets to be ready for consumer groups."""


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
        await _coordinator(admin)
    return created


async def _coordinator(admin: Any) -> None:
    """Have a new cluster make the topic of consumers' offsets, which takes it a moment when it is first asked for it.

    Consumers that come in that moment log errors. Where we may not ask, or it takes long, they can wait themselves.
    """
    with suppress(TimeoutError, KafkaError):
        async with asyncio.timeout(COORDINATOR_S):
            while True:
                try:
                    await admin.find_coordinator("any")
                except GroupCoordinatorNotAvailableError:
                    await asyncio.sleep(0.1)
                else:
                    return


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
