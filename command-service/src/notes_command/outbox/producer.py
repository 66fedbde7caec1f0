"""Sends the relay's records with one idempotent producer for all destinations. After a failure it is replaced."""

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
    """The result of sending records to a destination.

    `acknowledged`: the rows that Kafka has. `error`: the kind of error that stopped the rest, or None. `refused`: a
    record of the failed batch is at fault, and a retry does not help.
    """

    acknowledged: list[RowName]
    error: str | None = None
    refused: bool = False


Writer = asyncio.Task[Sent | None]


def result_of(writer: Writer) -> Sent | None:
    """Return the result of a writer that is done. None: it is unknown, and its records are sent again."""
    try:
        return writer.result()
    except (ProducerUnavailable, StoreError, asyncio.CancelledError):  # cancelled: a library cancels its own future
        return None


@dataclass(slots=True)
class _SharedProducer:
    """A producer, and how many writers use it. After it is detached, the last writer to finish has it stopped."""

    producer: AIOKafkaProducer
    writers: int = 0


@dataclass(slots=True)
class RelayProducer:
    """`answer_s`: the seconds after which a batch without an answer has failed."""

    cluster: Cluster
    answer_s: float = ANSWER_S
    _shared: _SharedProducer | None = field(default=None, init=False)
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _stopping: set["asyncio.Task[None]"] = field(default_factory=set, init=False)

    async def ready(self) -> None:
        """Start a producer if there is none. Raises ProducerUnavailable."""
        await self._started()

    async def warm(self, topics: Iterable[str]) -> None:
        """Start a producer and fetch the metadata of these topics before the first record. Does not raise."""
        with suppress(KafkaError, OSError, ProducerUnavailable):
            shared = await self._started()
            for topic in topics:
                await see_topic(shared.producer, topic)

    async def send(self, destination: Destination, records: deque[Record]) -> Sent:
        """Send the records in order, one Kafka batch after the other.

        A batch is sent only after the batch before is acknowledged. Else, if the first batch of a producer for a
        partition is refused, the broker does not know that producer yet and takes the second one, whatever its sequence
        number. After any failure the producer is replaced: an idempotent one goes on failing for that partition.
        """
        shared = await self._started()
        acknowledged: list[RowName] = []
        shared.writers += 1
        all_sent = False
        try:
            while records:
                batch, rows = _fill(shared.producer, records)
                async with asyncio.timeout(2 * self.answer_s):
                    await see_topic(shared.producer, destination.topic)
                    await (await shared.producer.send_batch(batch, destination.topic, partition=destination.partition))
                acknowledged += rows
            all_sent = True
        except Exception as error:  # noqa: BLE001 - whatever it is, the rows stay in the outbox; it is reported
            return Sent(acknowledged, type(error).__name__, refused=isinstance(error, REFUSALS))
        finally:
            shared.writers -= 1
            if not all_sent and shared is self._shared:
                self._shared = None
            self._stop_if_done(shared)
        return Sent(acknowledged)

    def detach(self) -> None:
        """Leave the producer to the writers that still use it. The next writer gets a new one."""
        detached, self._shared = self._shared, None
        if detached is not None:
            self._stop_if_done(detached)

    def separate(self, answer_s: float) -> "RelayProducer":
        """Return a RelayProducer with a Kafka producer of its own."""
        return RelayProducer(self.cluster, answer_s)

    async def close(self) -> None:
        """Stop the producer once its writers are done, and wait for all producers that are stopping."""
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
                # linger_ms=0 sends the records that are there. A full outbox fills the batches anyway.
                made = producer(
                    self.cluster, self.answer_s, enable_idempotence=True, linger_ms=0, max_batch_size=BATCH_BYTES
                )
                try:
                    self._shared = _SharedProducer(await started(made, self.answer_s))
                except (KafkaError, OSError, TimeoutError) as error:
                    raise ProducerUnavailable(public_reason(error)) from error
            return self._shared


def _fill(active: AIOKafkaProducer, records: deque[Record]) -> tuple[Any, list[RowName]]:
    """Take as many records as a batch holds. Return the batch and their rows. A single record always fits."""
    batch = active.create_batch()
    rows: list[RowName] = []
    while records:
        record = records[0]
        try:
            taken = batch.append(timestamp=None, key=record.key, value=record.value, headers=list(record.headers))
        except Exception as error:
            if rows:  # the record fails again as the first one of the next batch
                break
            raise UnwritableRecordError(type(error).__name__) from error
        if taken is None:
            break
        rows.append(records.popleft().name)
    batch.close()
    return batch, rows
