"""Producers that say why a record did not arrive, and which failures no retry will change.

aiokafka's idempotent producer retries what it holds to be temporary for ever and tells nobody why. Here a batch fails
with the broker's own error once `answer_s` have passed. A producer that failed must be replaced: its sequence numbers
no longer fit.
"""

import asyncio
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer, errors
from aiokafka.errors import (
    BrokerResponseError,
    CorruptRecordException,
    InvalidTimestampError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
    TopicAuthorizationFailedError,
    UnknownTopicOrPartitionError,
    UnsupportedForMessageFormatError,
)
from aiokafka.producer.sender import Sender, SendProduceReqHandler

log = structlog.get_logger()

ANSWER_S: Final = 10.0
STOP_S: Final = 5.0


class InvalidRecordError(BrokerResponseError):  # type: ignore[misc]
    """The topic's rules refuse the record, such as one without a key on a compacted topic. Unknown to aiokafka."""

    errno = 87
    message = "INVALID_RECORD"
    description = "The broker refuses the record."


class UnwritableRecordError(KafkaError):  # type: ignore[misc]
    """The record cannot be written as a Kafka record at all."""


errors.kafka_errors.setdefault(InvalidRecordError.errno, InvalidRecordError)

REFUSALS: Final = (
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    InvalidRecordError,
    CorruptRecordException,
    InvalidTimestampError,
    UnsupportedForMessageFormatError,
    PolicyViolationError,
    UnwritableRecordError,
)
"""What is wrong with the record itself. Everything else, known or not, may pass: it is waited for."""


class _Handler(SendProduceReqHandler):  # type: ignore[misc]
    def _can_retry(self, error: Any, batch: Any) -> bool:
        # Once aiokafka has asked for its metadata, a missing topic has no leaders, and the batch would wait for one.
        missing = isinstance(error, UnknownTopicOrPartitionError)
        return bool(error.retriable) and not missing and not batch.expired()


class _Sender(Sender):  # type: ignore[misc]
    async def _send_produce_req(self, node_id: Any, batches: Any) -> None:
        await _Handler(self, batches).do(node_id)
        self._in_flight.remove(node_id)
        self._muted_partitions.difference_update(batches)


def producer(bootstrap: str, answer_s: float = ANSWER_S, **options: Any) -> AIOKafkaProducer:
    """Return a producer that acknowledges only what every replica has; not started."""
    made = AIOKafkaProducer(
        bootstrap_servers=bootstrap, acks="all", request_timeout_ms=round(answer_s * 1000), **options
    )
    made._sender.__class__ = _Sender  # noqa: SLF001 - its constructor builds it, and nothing public replaces it
    return made


async def started(made: AIOKafkaProducer, within_s: float = ANSWER_S) -> AIOKafkaProducer:
    """Start a producer and return it; one that does not start is stopped. Raises KafkaError, OSError, TimeoutError."""
    try:
        async with asyncio.timeout(within_s):
            await made.start()
    except BaseException:
        await made.stop()
        raise
    return made


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


async def stop(stopping: AIOKafkaProducer) -> None:
    """Stop a producer, but do not wait for a broker that is away: nothing of it may run on behind our back."""
    try:
        async with asyncio.timeout(STOP_S):
            await stopping.stop()
    except (TimeoutError, KafkaError, OSError) as error:
        log.warning("producer did not stop in time", error=type(error).__name__)
        await stopping._sender.close()  # noqa: SLF001 - its `stop`, once cancelled, leaves the sender running
        await stopping.client.close()
