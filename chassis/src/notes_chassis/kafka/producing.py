"""Producers that say why a record did not arrive, and which failures no retry will change.

A batch fails with the broker's own error once `answer_s` have passed (aiokafka_patches.py). A producer that failed must
be replaced: its sequence numbers no longer fit.
"""

from typing import Any, Final

from aiokafka import AIOKafkaProducer
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

from notes_chassis.kafka.cluster import Cluster

ANSWER_S: Final = 10.0


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


def producer(cluster: Cluster, answer_s: float = ANSWER_S, **options: Any) -> AIOKafkaProducer:
    """Return a producer that acknowledges only what every replica has; not started."""
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
