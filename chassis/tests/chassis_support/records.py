"""Records as aiokafka hands them over."""

from typing import TypeAlias

from aiokafka import ConsumerRecord, TopicPartition

TOPIC = "things"
Record: TypeAlias = "ConsumerRecord[bytes, bytes]"


def record(partition: TopicPartition, offset: int, timestamp: int = 0) -> Record:
    return ConsumerRecord(
        topic=partition.topic,
        partition=partition.partition,
        offset=offset,
        timestamp=timestamp,
        timestamp_type=0,
        key=b"key",
        value=b"value",
        checksum=None,
        serialized_key_size=3,
        serialized_value_size=5,
        headers=(),
    )
