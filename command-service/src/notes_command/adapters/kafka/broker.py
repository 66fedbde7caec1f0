"""Sends the relay's records: one idempotent producer, replaced whenever it failed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.errors import (
    InvalidTopicError,
    KafkaError,
    MessageSizeTooLargeError,
    PolicyViolationError,
    RecordListTooLargeError,
)

from notes_command.application.relay_ports import Record, SendFailed
from notes_contracts.topics import COMMAND_DEAD_LETTERS_TOPIC

log = structlog.get_logger()

MAX_REQUEST: Final = COMMAND_DEAD_LETTERS_TOPIC.max_bytes + 1024 * 1024
STOP_S: Final = 5.0
ANSWER_S: Final = 60.0
# What no second try will change. aiokafka checks the size before it sends, the broker again by its own rule.
REFUSALS: Final = (MessageSizeTooLargeError, RecordListTooLargeError, PolicyViolationError, InvalidTopicError)


def producer(bootstrap: str, **options: Any) -> AIOKafkaProducer:
    """Return a producer that acknowledges only what every replica has; not started."""
    return AIOKafkaProducer(bootstrap_servers=bootstrap, acks="all", max_request_size=MAX_REQUEST, **options)


async def started(made: AIOKafkaProducer) -> AIOKafkaProducer:
    """Start a producer and return it; one that does not start is stopped. Raises KafkaError and OSError."""
    try:
        await made.start()
    except BaseException:
        await made.stop()
        raise
    return made


async def stop(stopping: AIOKafkaProducer) -> None:
    """Stop a producer, but do not wait for a broker that is away: nothing of it may run on behind our back."""
    try:
        async with asyncio.timeout(STOP_S):
            await stopping.stop()
    except (TimeoutError, KafkaError, OSError) as error:
        log.warning("producer did not stop in time", error=str(error))
        await stopping._sender.close()  # noqa: SLF001 - its `stop`, once cancelled, leaves the sender running
        await stopping.client.close()


@dataclass(slots=True)
class KafkaBroker:
    """Implements the port Broker."""

    bootstrap: str
    _producer: AIOKafkaProducer | None = field(default=None, init=False)

    async def send(self, records: Sequence[Record]) -> None:
        """Send the records of each partition in order, one Kafka batch after the other, all partitions at once.

        Never a second batch before the first is acknowledged: if the first that a producer sends to a partition is
        refused, the broker knows nothing of that producer yet and takes the second, whatever its sequence number.
        Any failure costs the producer. An idempotent one that failed once for good goes on failing that partition.
        """
        try:
            active = await self._started()
        except (KafkaError, OSError) as error:
            raise SendFailed(f"{type(error).__name__}: {error}", [], refused=False) from error
        lanes = [Lane(active, partition, own) for partition, own in _by_partition(records).items()]
        try:
            failures = [failure for failure in await asyncio.gather(*(lane.send() for lane in lanes)) if failure]
        except BaseException:
            await self.close()
            raise
        if not failures:
            return
        await self.close()
        raise SendFailed(
            f"{type(failures[0]).__name__}: {failures[0]}",
            [position for lane in lanes for position in lane.acknowledged],
            refused=any(isinstance(error, REFUSALS) for error in failures),
        )

    async def close(self) -> None:
        """Let go of the producer."""
        stopping, self._producer = self._producer, None
        if stopping is not None:
            await stop(stopping)

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            # A key's order holds for any linger; 0 sends what is there, and a full outbox fills the batches anyway.
            made = producer(self.bootstrap, enable_idempotence=True, linger_ms=0, max_batch_size=256 * 1024)
            self._producer = await started(made)
        return self._producer


@dataclass(slots=True)
class Lane:
    """What goes to one partition, in order."""

    active: AIOKafkaProducer
    partition: TopicPartition
    records: Sequence[Record]
    acknowledged: list[int] = field(default_factory=list)

    async def send(self) -> BaseException | None:
        """Send batch by batch up to the first that fails; return why it did."""
        topic, number = self.partition
        begin = 0
        try:
            while begin < len(self.records):
                batch, end = self._fill(begin)
                async with asyncio.timeout(ANSWER_S):
                    await (await self.active.send_batch(batch, topic, partition=number))
                self.acknowledged += [record.position for record in self.records[begin:end]]
                begin = end
        except TimeoutError:
            return TimeoutError(f"no answer within {ANSWER_S:g} s")
        except (KafkaError, OSError, AssertionError) as error:  # asserts: a partition that the topic does not have
            return error
        return None

    def _fill(self, begin: int) -> tuple[Any, int]:
        """Return a batch of the records from `begin` on, and where the next one begins. One record always fits."""
        batch = self.active.create_batch()
        for number in range(begin, len(self.records)):
            one = self.records[number]
            if batch.append(timestamp=None, key=one.key, value=one.value, headers=list(one.headers)) is None:
                return batch, number
        batch.close()
        return batch, len(self.records)


def _by_partition(records: Sequence[Record]) -> dict[TopicPartition, list[Record]]:
    found: dict[TopicPartition, list[Record]] = {}
    for record in records:
        found.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    return found
