"""The service that sends commands, and the wait until all are dealt with."""

import asyncio
import time
from collections.abc import Callable, Iterable

import asyncpg
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient

from notes_contracts import Written
from notes_contracts.topics import PARTITIONS
from tools.soak.system import System

CHUNK = 500
LOOK_S = 0.5


async def publish(system: System, records: Iterable[Written], rate: int, told: Callable[[int], None]) -> None:
    """Send everything in order, at most `rate` records a second; 0 is as fast as it goes."""
    producer = AIOKafkaProducer(bootstrap_servers=system.kafka, acks="all", enable_idempotence=True, linger_ms=5)
    await producer.start()
    began, sent = time.monotonic(), 0
    pending: list[asyncio.Future[object]] = []
    try:
        for record in records:
            headers = list(record.headers)
            pending.append(await producer.send(system.topics["commands"], record.value, record.key, headers=headers))
            if len(pending) == CHUNK:
                await asyncio.gather(*pending)
                sent += len(pending)
                pending.clear()
                told(sent)
                if rate:
                    await asyncio.sleep(began + sent / rate - time.monotonic())
        await asyncio.gather(*pending)
        told(sent + len(pending))
    finally:
        await producer.stop()


async def all_done(system: System) -> None:
    """Return once the group has committed the end of every partition, and the outbox is empty."""
    ends = await _ends(system)
    admin = AIOKafkaAdminClient(bootstrap_servers=system.kafka)
    await admin.start()
    connection = await asyncpg.connect(system.postgres)
    try:
        while True:
            found = await admin.list_consumer_group_offsets(system.group)
            committed = {partition: entry.offset for partition, entry in found.items()}
            reached = all(committed.get(partition, 0) >= end for partition, end in ends.items())
            if reached and not await connection.fetchval("SELECT count(*) FROM outbox"):
                return
            await asyncio.sleep(LOOK_S)
    finally:
        await connection.close()
        await admin.close()


async def _ends(system: System) -> dict[TopicPartition, int]:
    consumer = AIOKafkaConsumer(bootstrap_servers=system.kafka, enable_auto_commit=False)
    await consumer.start()
    try:
        topic = system.topics["commands"]
        return dict(await consumer.end_offsets([TopicPartition(topic, number) for number in range(PARTITIONS)]))
    finally:
        await consumer.stop()
