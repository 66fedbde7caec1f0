"""The service that sends commands."""

import asyncio
import time
from collections.abc import Callable, Iterable

from aiokafka import AIOKafkaProducer

from notes_contracts import Written
from tools.soak.system import System

CHUNK = 500


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
