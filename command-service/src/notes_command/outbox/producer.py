"""Sends the relay's records: one idempotent producer for all destinations, replaced whenever it failed."""

import asyncio
from collections import deque
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from notes_chassis.kafka.clients import ANSWER_S, REFUSALS, UnwritableRecordError, close, producer, see_topic, started
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.fetches import public_reason
from notes_command.errors import ProducerUnavailable, StoreError
from notes_command.outbox.row import Destination, Record, RowName
from notes_contracts.topics import COMMAND_DEAD_LETTERS_TOPIC

MAX_REQUEST: Final = COMMAND_DEAD_LETTERS_TOPIC.max_bytes + 1024 * 1024
BATCH_BYTES: Final = 256 * 1024


class Sent(NamedTuple):
    """What came of records for one destination.

    `acknowledged`: the rows that arrived. `error`: the kind of error that stopped the rest, None if there was
    none. `refused`: one of the records of the failed batch is at fault, and no retry will change that.
    """

    acknowledged: list[RowName]
    error: str | None = None
    refused: bool = False


Writer = asyncio.Task[Sent | None]


def result_of(writer: Writer) -> Sent | None:
    """Return what came of a writer; None where nothing is known, and its records come again."""
    try:
        return writer.result()
    except (ProducerUnavailable, StoreError, asyncio.CancelledError):  # the last one: a library cancelled its future
        return None


@dataclass(slots=True)
class _SharedProducer:
    """A producer, and how many writers use it. It is stopped when it was given up and the last of them is done."""

    producer: AIOKafkaProducer
    writers: int = 0


@dataclass(slots=True)
class RelayProducer:
    """`answer_s`: how long a batch may take before it has failed."""

    cluster: Cluster
    answer_s: float = ANSWER_S
    _shared: _SharedProducer | None = field(default=None, init=False)
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _stopping: set["asyncio.Task[None]"] = field(default_factory=set, init=False)

    async def ready(self) -> None:
        """Have a producer."""
        await self._started()

    async def warm(self, topics: Iterable[str]) -> None:
        """Have one that knows these topics before the first record has to wait for it; do without if Kafka is away."""
        with suppress(KafkaError, OSError, ProducerUnavailable):
            shared = await self._started()
            for topic in topics:
                await see_topic(shared.producer, topic)

    async def send(self, destination: Destination, records: deque[Record]) -> Sent:
        """Send the records in order, one Kafka batch after the other.

        Never a second batch before the first is acknowledged: if the first that a producer sends to a partition is
        refused, the broker knows nothing of that producer yet and takes the second, whatever its sequence number.
        Any failure costs the producer. An idempotent one that failed once for good goes on failing that partition.
        """
        shared = await self._started()
        acknowledged: list[RowName] = []
        shared.writers += 1
        whole = False
        try:
            while records:
                batch, rows = _fill(shared.producer, records)
                async with asyncio.timeout(2 * self.answer_s):
                    await see_topic(shared.producer, destination.topic)
                    await (await shared.producer.send_batch(batch, destination.topic, partition=destination.partition))
                acknowledged += rows
            whole = True
        except Exception as error:  # noqa: BLE001 - whatever it is, the rows stay in the outbox and the error is told
            return Sent(acknowledged, type(error).__name__, refused=isinstance(error, REFUSALS))
        finally:
            shared.writers -= 1
            if not whole and shared is self._shared:
                self._shared = None
            self._stop_if_done(shared)
        return Sent(acknowledged)

    def detach(self) -> None:
        """Leave the producer to those who still write with it; the next to send gets a new one."""
        left, self._shared = self._shared, None
        if left is not None:
            self._stop_if_done(left)

    def separate(self, answer_s: float) -> "RelayProducer":
        """Return one that shares nothing with this one."""
        return RelayProducer(self.cluster, answer_s)

    async def close(self) -> None:
        """Let go of the producer, and wait for those that were let go before."""
        self.detach()
        if self._stopping:
            await asyncio.wait(self._stopping)

    def _stop_if_done(self, shared: _SharedProducer) -> None:
        if shared is not self._shared and not shared.writers:
            task = asyncio.create_task(close(shared.producer))
            self._stopping.add(task)
            task.add_done_callback(self._stopping.discard)

    async def _started(self) -> _SharedProducer:
        async with self._starting:
            if self._shared is None:
                # A key's order holds for any linger; 0 sends what is there, and a full outbox fills the batches anyway.
                made = producer(
                    self.cluster, self.answer_s, enable_idempotence=True, linger_ms=0, max_batch_size=BATCH_BYTES
                )
                try:
                    self._shared = _SharedProducer(await started(made, self.answer_s))
                except (KafkaError, OSError, TimeoutError) as error:
                    raise ProducerUnavailable(public_reason(error)) from error
            return self._shared


def _fill(active: AIOKafkaProducer, records: deque[Record]) -> tuple[Any, list[RowName]]:
    """Take the first records, as many as a batch holds, and return both it and their rows. One always fits."""
    batch = active.create_batch()
    rows: list[RowName] = []
    while records:
        one = records[0]
        try:
            taken = batch.append(timestamp=None, key=one.key, value=one.value, headers=list(one.headers))
        except Exception as error:
            if rows:  # it is met again, as the first of a batch
                break
            raise UnwritableRecordError(type(error).__name__) from error
        if taken is None:
            break
        rows.append(records.popleft().name)
    batch.close()
    return batch, rows
