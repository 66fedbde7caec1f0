"""aiokafka's clients, started and closed whatever happens meanwhile; producers that say why a record did not arrive."""

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
    """The topic's rules refuse the record, such as one without a key on a compacted topic. Unknown to aiokafka."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker refuses the record."


class UnwritableRecordError(KafkaError):  # type: ignore[misc]
    """The record cannot be written as a Kafka record at all."""


REFUSALS: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidRecordError,
    CorruptRecordException,
    UnsupportedForMessageFormatError,
    PolicyViolationError,
    UnwritableRecordError,
)
"""What is wrong with the record itself. Everything else, known or not, may pass: it is waited for.

InvalidTimestampError is not among them: records get their time from this host's clock, which is what is wrong then.
"""


def groupless(cluster: Cluster, **options: Any) -> Any:
    """Return a consumer outside every group, not started. It sees what is committed, and commits nothing."""
    fixed: dict[str, Any] = {"group_id": None, "enable_auto_commit": False, "isolation_level": "read_committed"}
    return AIOKafkaConsumer(**cluster.client(), **fixed, **{"auto_offset_reset": "earliest", **options})


def producer(cluster: Cluster, answer_s: float = ANSWER_S, **options: Any) -> AIOKafkaProducer:
    """Return a producer that acknowledges only what every replica has; not started.

    A batch fails with the broker's own error once `answer_s` have passed (aiokafka_patches.py). A producer that failed
    must be replaced: its sequence numbers no longer fit.
    """
    return AIOKafkaProducer(**cluster.client(), acks="all", request_timeout_ms=round(answer_s * 1000), **options)


async def see_topic(active: AIOKafkaProducer, topic: str) -> None:
    """Ask once for a topic that is not known; aiokafka asks ten times a second until its time is over.

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
    """Close clients to their end, even if we are cancelled meanwhile: what is half closed would stay.

    What is None is passed over. Never takes much longer than STOP_S, and raises nothing but the cancellation.
    aiokafka's own methods are cut off by a cancellation, or swallow it (aio-libs/aiokafka issue 983 and pull request
    1000), and wait for ever for a broker that is away (issue 1013).
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
    """Have a topic known before its partitions are assigned."""
    await client_of(consumer).add_topic(topic)


async def refresh(consumer: Any) -> bool:
    """Ask for the partitions anew: what a client knows may be five minutes old. Return whether anybody answered."""
    return bool(await client_of(consumer).force_metadata_update())
