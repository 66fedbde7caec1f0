"""Which keys this instance projects at the moment."""

from collections.abc import Callable

from aiokafka import TopicPartition

from notes_chassis.kafka.rebalance import Rebalance
from notes_contracts import partition_of
from notes_contracts.topics import PARTITIONS


def owns_key(rebalance: Rebalance, topic: str) -> Callable[[str], bool]:
    """Return what says whether the records with a key are read here."""

    def owns(key: str) -> bool:
        assigned = rebalance.assigned
        return len(assigned) == PARTITIONS or (
            TopicPartition(topic, partition_of(key.encode(), PARTITIONS)) in assigned
        )

    return owns


def owns_everything(rebalance: Rebalance) -> Callable[[str], bool]:
    """Return what says whether the whole topic is read here, for what is not looked for by the records' key."""
    return lambda _: len(rebalance.assigned) == PARTITIONS
