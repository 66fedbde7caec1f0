"""Starting and closing aiokafka's clients whatever happens meanwhile, and producers that say why a record failed."""

import asyncio
from typing import Any, Final, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import (
    BrokerResponseError,
    CorruptRecordException,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedForMessageFormatError,
)

from notes_chassis.kafka.aiokafka_internals import client_of, take_apart
from notes_chassis.kafka.cluster import Cluster

log = structlog.get_logger()

STOP_S: Final = 5.0
ANSWER_S: Final = 10.0
Client = TypeVar("Client")


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]
    """The topic does not take such a record, for example one without a key if it is compacted. Unknown to aiokafka."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker refuses the record."


class UnwritableRecordError(KafkaError):  # type: ignore[misc]
    """The record cannot be encoded as a Kafka record."""


REFUSALS: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidRecordError,
    CorruptRecordException,
    UnsupportedForMessageFormatError,
    PolicyViolationError,
    UnwritableRecordError,
)
"""Errors whose cause is the record itself. Any other error may pass, so the record is sent again.

InvalidTimestampError is not among them: it means that this host's clock, which gives records their time, is wrong.
"""


def groupless(cluster: Cluster, **options: Any) -> Any:
    """Return a consumer without a group, not started. It reads committed transactions only, and commits no offsets."""
    fixed: dict[str, Any] = {"group_id": None, "enable_auto_commit": False, "isolation_level": "read_committed"}
    return AIOKafkaConsumer(**cluster.client(), **fixed, **{"auto_offset_reset": "earliest", **options})


def producer(cluster: Cluster, answer_s: float = ANSWER_S, **options: Any) -> AIOKafkaProducer:
    """Return a producer, not started, for which a record is sent once every in-sync replica has it.

    A batch fails with the broker's own error after `answer_s` (aiokafka_patches.py). Replace a producer that has
    failed: its sequence numbers no longer fit.
    """
    return AIOKafkaProducer(**cluster.client(), acks="all", request_timeout_ms=round(answer_s * 1000), **options)


async def see_topic(active: AIOKafkaProducer, topic: str) -> None:
    """Ask once for a topic that the producer does not know. aiokafka would ask ten times a second until its timeout.

    Raises UnknownTopicOrPartitionError, TopicAuthorizationFailedError.
    """
    client = active.client
    if client.cluster.partitions_for_topic(topic) is None:
        await client.add_topic(topic)
    if client.cluster.partitions_for_topic(topic) is None:
        await client.force_metadata_update()
    if topic in client.cluster.unauthorized_topics:
        raise TopicAuthorizationFailedError(topic)
    if client.cluster.partitions_for_topic(topic) is None:
        raise UnknownTopicOrPartitionError


async def started(client: Client, within_s: float | None = None) -> Client:
    """Start a client and return it; one that does not start is closed. Raises KafkaError, OSError, TimeoutError."""
    starting: Any = client
    try:
        async with asyncio.timeout(within_s):
            await starting.start()
    except BaseException:
        await close(client)
        raise
    return client


async def close(*clients: Any) -> None:
    """Close clients completely, even if the caller is cancelled meanwhile; None is skipped.

    Takes hardly longer than STOP_S, and raises nothing but the cancellation. aiokafka's own methods break off at a
    cancellation, or swallow it (aio-libs/aiokafka issue 983 and pull request 1000), and wait for ever for a broker that
    is away (issue 1013).
    """
    closing = asyncio.gather(*(_close(client) for client in clients if client is not None))
    try:
        await asyncio.shield(closing)
    except asyncio.CancelledError:
        await asyncio.wait([closing])
        raise


async def _close(client: Any) -> None:
    try:
        async with asyncio.timeout(STOP_S):
            await (client.stop() if hasattr(client, "stop") else client.close())
    except (TimeoutError, KafkaError, OSError, asyncio.CancelledError) as error:
        # aiokafka cancels a fetch that waits for a broker, and with it the stop that awaits the fetch.
        log.warning("a client of Kafka did not stop in time", kind=type(client).__name__, error=type(error).__name__)
        await take_apart(client)


async def know(consumer: Any, topic: str) -> None:
    """Fetch a topic's metadata before its partitions are assigned."""
    await client_of(consumer).add_topic(topic)


async def refresh(consumer: Any) -> bool:
    """Fetch the metadata again, which may be five minutes old; return whether a broker answered."""
    return bool(await client_of(consumer).force_metadata_update())
