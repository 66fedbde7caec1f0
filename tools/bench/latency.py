"""Publish → visible, at a steady rate: from before the send to the answer of a reader who waits for that version."""

import asyncio
import time
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from notes_contracts import Written, partition_of
from notes_contracts.topics import PARTITIONS
from tools.bench.contestants import OURS, running
from tools.bench.documents import Documents
from tools.bench.http_client import Connection, connections
from tools.bench.room import BenchError, room
from tools.bench.workload import Author, publish

WARM_UP_S = 3.0
READERS = 64
SAMPLES_PER_S = 50
AT_MOST_S = 60.0


@dataclass(frozen=True, slots=True)
class Latency:
    """Commands per second, and the milliseconds of the sampled ones, sorted."""

    rate: int
    milliseconds: list[float]

    def percentile(self, share: float) -> float:
        """Return the value that this share of the samples does not exceed."""
        return self.milliseconds[min(len(self.milliseconds) - 1, int(share * len(self.milliseconds)))]


async def measure(addresses: dict[str, str], rate: int, seconds: float) -> Latency:
    """Return the latencies at `rate` commands a second; the first three seconds do not count.

    Each command is sent at its own time, late or not: a stall is charged to every command that it delays.

    Raises:
        BenchError: a note was not visible within ten seconds, or wrong.

    """
    author = Author(seed=11)
    async with room(addresses) as made, running(OURS, made) as processes:
        before = author.creates(200)
        await publish(made.kafka, made.topics["commands"], before.records)
        await Documents(made, OURS).wait_for(before.last_notes(), processes, AT_MOST_S)
        records = author.creates(int(rate * (WARM_UP_S + seconds))).records
        producer = AIOKafkaProducer(bootstrap_servers=made.kafka, enable_idempotence=True)
        async with producer, connections(processes.urls["query"], READERS) as readers:
            steady = _Steady(producer, made.topics["commands"], readers)
            taken = await steady.send(records, rate)
        warm = int(WARM_UP_S * SAMPLES_PER_S)
        return Latency(rate, sorted(taken[warm:]))


class _Steady:
    def __init__(self, producer: AIOKafkaProducer, topic: str, readers: list[Connection]) -> None:
        self._producer = producer
        self._topic = topic
        self._free: asyncio.Queue[Connection] = asyncio.Queue()
        for reader in readers:
            self._free.put_nowait(reader)

    async def send(self, records: list[Written], rate: int) -> list[float]:
        """Send one after the other at the rate; return the samples in the order in which they were sent."""
        every = max(1, rate // SAMPLES_PER_S)
        started, reading, acknowledged = time.perf_counter(), [], []
        for number, record in enumerate(records):
            due = started + number / rate
            if (early := due - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            if number % every == 0:
                reading.append(asyncio.create_task(self._read(record.key.decode(), due)))
            acknowledged.append(
                await self._producer.send(
                    self._topic,
                    record.value,
                    record.key,
                    partition=partition_of(record.key, PARTITIONS),
                    headers=list(record.headers),
                )
            )
        await asyncio.gather(*acknowledged)
        return await asyncio.gather(*reading)

    async def _read(self, note_id: str, due: float) -> float:
        reader = await self._free.get()
        status, body = await reader.get(f"/notes/{note_id}?min_version=1&wait=10")
        taken = (time.perf_counter() - due) * 1000
        self._free.put_nowait(reader)
        if status != 200:
            raise BenchError(f"a note was not visible within ten seconds: {status} {body[:200]!r}")
        return taken
