"""Which keys this instance projects at the moment."""

from aiokafka import TopicPartition

from notes_chassis.kafka.consumer import BatchConsumer
from notes_contracts import partition_of


def owns_key(batches: BatchConsumer, topic: str, key: str) -> bool:
    """Return whether the records with a key are read here."""
    assigned, number = batches.rebalance.assigned, _partitions(batches, topic)
    if len(assigned) == number:
        return number > 0
    return TopicPartition(topic, partition_of(key.encode(), number)) in assigned


def owns_everything(batches: BatchConsumer, topic: str) -> bool:
    """Return whether the whole topic is read here, for what is not looked for by the records' key."""
    assigned = batches.rebalance.assigned
    return bool(assigned) and len(assigned) == _partitions(batches, topic)


def _partitions(batches: BatchConsumer, topic: str) -> int:
    """Return how many the topic has, as the consumer knows it; 0 while nothing is assigned."""
    return len(batches.consumer().partitions_for_topic(topic) or ()) if batches.rebalance.assigned else 0
