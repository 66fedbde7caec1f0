"""Publish → visible, at a steady rate: from before the send until a reader has the note."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiokafka import AIOKafkaProducer

from notes_contracts import Written
from tools.bench.contestants import OURS, Contestant, Running, Usage, running, watched
from tools.bench.documents import Documents
from tools.bench.http_client import Connection, connections
from tools.bench.workload import Author
from tools.sandbox import RunError, publish, send

WARM_UP_S = 3.0
READERS = 64
SAMPLES_PER_S = 50
AT_MOST_S = 60.0
LOOK_S = 0.004

Visible = Callable[[str], Awaitable[None]]
"""Waits until a note can be read; raises RunError."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Commands per second, the milliseconds of the sampled ones, sorted, and what the processes took meanwhile."""

    rate: int
    milliseconds: list[float]
    usage: Usage

    def percentile(self, share: float) -> float:
        """Return the value that this share of the samples does not exceed."""
        return self.milliseconds[min(len(self.milliseconds) - 1, int(share * len(self.milliseconds)))]


async def measure(addresses: dict[str, str], contestant: Contestant, rate: int, seconds: float) -> Latency:
    """Return the latencies at `rate` commands a second; the first three seconds do not count.

    Each command is sent at its own time, late or not: a stall is charged to every command that it delays. A reader of
    ours asks once, and waits for the version; the bare road has no readers, so MongoDB is looked into every 4 ms.
    Raises RunError: a note was not visible in time: ten seconds for a reader of ours, a minute for the bare road.
    """
    author = Author(seed=11)
    async with running(addresses, contestant) as processes:
        made = processes.made
        documents = Documents(made, contestant)
        before = author.creates(200)
        await publish(processes.made, before.records)
        await documents.wait_for(before.last_notes(), processes, AT_MOST_S)
        records = author.creates(int(rate * (WARM_UP_S + seconds))).records
        producer = AIOKafkaProducer(bootstrap_servers=made.kafka, enable_idempotence=True)
        reading = _waiting_readers(processes) if contestant is OURS else _looking(documents, processes)
        async with producer, reading as visible, watched(processes.all_pids) as usage:
            taken = await _send(producer, made.topics["commands"], records, rate, visible)
        warm = int(WARM_UP_S * SAMPLES_PER_S)
        return Latency(rate, sorted(taken[warm:]), usage)


@asynccontextmanager
async def _waiting_readers(processes: Running) -> AsyncIterator[Visible]:
    async with connections(processes.query.url, READERS) as readers:
        free: asyncio.Queue[Connection] = asyncio.Queue()
        for reader in readers:
            free.put_nowait(reader)

        async def visible(note_id: str) -> None:
            reader = await free.get()
            status, body = await reader.get(f"/notes/{note_id}?min_version=1&wait=10")
            free.put_nowait(reader)
            if status != 200:
                raise RunError(f"a note was not visible within ten seconds: {status} {body[:200]!r}")

        yield visible


@asynccontextmanager
async def _looking(documents: Documents, processes: Running) -> AsyncIterator[Visible]:
    async def visible(note_id: str) -> None:
        await documents.wait_for({note_id: 1}, processes, AT_MOST_S, LOOK_S)

    yield visible


async def _send(
    producer: AIOKafkaProducer, topic: str, records: list[Written], rate: int, visible: Visible
) -> list[float]:
    """Send one after the other at the rate; return the samples in the order in which they were sent."""

    async def sample(note_id: str, due: float) -> float:
        await visible(note_id)
        return (time.perf_counter() - due) * 1000

    every = max(1, rate // SAMPLES_PER_S)
    started, reading, acknowledged = time.perf_counter(), [], []
    for number, record in enumerate(records):
        due = started + number / rate
        if (early := due - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        if number % every == 0:
            reading.append(asyncio.create_task(sample(record.key.decode(), due)))
        acknowledged.append(await send(producer, topic, record))
    await asyncio.gather(*acknowledged)
    return await asyncio.gather(*reading)
