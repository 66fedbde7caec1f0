"""Kafka as a test's upstream and downstream see it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from notes_contracts import Command, write

Headers = list[tuple[str, bytes | None]]


@dataclass(frozen=True)
class Sent:
    """A record to publish; `partition` None leaves it to the key."""

    key: bytes | None
    value: bytes | None
    headers: Headers
    partition: int | None = None


def new_id() -> str:
    return str(uuid4())


def command(message: Command, command_id: str | None = None, **attributes: Any) -> Sent:
    """Return a good command as a record."""
    written = write(message, id=command_id or new_id(), **attributes)
    return Sent(written.key, written.value, list(written.headers))


@asynccontextmanager
async def producing(address: str, **options: Any) -> AsyncIterator[AIOKafkaProducer]:
    producer = AIOKafkaProducer(
        bootstrap_servers=address, acks="all", max_request_size=20 * 1024 * 1024, linger_ms=2, **options
    )
    await producer.start()
    try:
        yield producer
    finally:
        await producer.stop()


async def publish(address: str, topic: str, records: Iterable[Sent], **options: Any) -> None:
    """Publish in order and wait until everything is acknowledged."""
    async with producing(address, **options) as producer:
        await asyncio.gather(*[await send(producer, topic, record) for record in records])


async def send(producer: AIOKafkaProducer, topic: str, record: Sent) -> "asyncio.Future[Any]":
    if record.key is None and record.value is None:
        batch = producer.create_batch()
        batch.append(key=None, value=None, timestamp=None, headers=record.headers)
        return await producer.send_batch(batch, topic, partition=record.partition or 0)
    return await producer.send(topic, record.value, record.key, headers=record.headers, partition=record.partition)


async def read_until(address: str, topic: str, enough: Callable[[list[Any]], bool], within: float = 30.0) -> list[Any]:
    """Read a topic from its beginning until `enough` holds of what was read, in arrival order.

    Fails with what there is when time is up.
    """
    consumer = AIOKafkaConsumer(bootstrap_servers=address, enable_auto_commit=False, isolation_level="read_committed")
    await consumer.start()
    found: list[Any] = []
    try:
        partitions = [TopicPartition(topic, number) for number in await partitions_of(consumer, topic)]
        consumer.assign(partitions)
        await consumer.seek_to_beginning(*partitions)
        async with asyncio.timeout(within):
            while not enough(found):
                for records in (await consumer.getmany(timeout_ms=100)).values():
                    found.extend(records)
    except TimeoutError:
        shown = [(record.partition, record.offset, record.value[:200] if record.value else None) for record in found]
        raise AssertionError(f"{topic}: not enough within {within} s: {len(found)} records {shown[:20]}") from None
    finally:
        await consumer.stop()
    return found


async def partitions_of(consumer: AIOKafkaConsumer, topic: str) -> set[int]:
    async with asyncio.timeout(10):
        while True:
            await consumer._client.force_metadata_update()
            if partitions := consumer.partitions_for_topic(topic):
                return set(partitions)


def header(record: Any, name: str) -> str | None:
    """Return the last header of that name as text."""
    found = [value for key, value in record.headers if key == name]
    return found[-1].decode() if found and found[-1] is not None else None
