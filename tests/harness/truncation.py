"""Take all records out of a topic, as retention does in time."""

import asyncio

from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, RecordsToDelete
from aiokafka.errors import LeaderNotAvailableError, NotLeaderForPartitionError

WITHIN_S = 30.0
EVERYTHING = RecordsToDelete(-1)


async def truncate(address: str, topic: str, partitions: int) -> None:
    """Remove every record that is in the topic now, once its partitions have leaders: one just made has none yet."""
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        async with asyncio.timeout(WITHIN_S):
            for number in range(partitions):
                await _truncate(admin, TopicPartition(topic, number))
    finally:
        await admin.close()


async def _truncate(admin: AIOKafkaAdminClient, partition: TopicPartition) -> None:
    while True:
        try:
            await admin.delete_records({partition: EVERYTHING}, timeout_ms=10_000)
        except (LeaderNotAvailableError, NotLeaderForPartitionError):
            await asyncio.sleep(0.05)
        else:
            return
