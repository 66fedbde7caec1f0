"""FastStream's parser and decoder, made unable to raise: the batch goes through raw, and we decode it ourselves."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from aiokafka import ConsumerRecord, TopicPartition
from faststream.message import StreamMessage

Records = tuple["ConsumerRecord[bytes, bytes]", ...]
Group = list["ConsumerRecord[bytes, bytes]"]
Message = StreamMessage[Any]


async def parse(records: Records, original: Callable[[Records], Awaitable[Message]]) -> Message:
    """Return the batch as FastStream's message.

    The original parser decodes every header as UTF-8, and one that is null or not UTF-8 makes it raise: no ack, no
    nack, and the next commit passes the whole batch. It is given one record without headers instead.
    """
    message = await original((replace(records[0], headers=()),))
    message.raw_message = records
    return message


async def decode(message: Message) -> Records:
    """Return the raw records."""
    records: Records = message.raw_message
    return records


def by_partition(records: Records) -> dict[TopicPartition, Group]:
    """Return the records by partition, each in their order."""
    groups: dict[TopicPartition, Group] = {}
    for record in records:
        groups.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    return groups
