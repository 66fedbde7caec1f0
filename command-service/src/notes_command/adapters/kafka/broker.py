"""Sends the relay's records: one idempotent producer, replaced whenever it failed."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
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


@dataclass(slots=True)
class KafkaBroker:
    """Implements the port Broker."""

    bootstrap: str
    _producer: AIOKafkaProducer | None = field(default=None, init=False)

    async def send(self, records: Sequence[Record]) -> None:
        """Hand all records over in order, then wait for all. Any failure costs the producer.

        An idempotent producer that failed once for good goes on failing that partition; and what it still holds
        must not arrive behind the back of its successor.
        """
        sent: dict[int, asyncio.Future[Any]] = {}
        failures: list[BaseException] = []
        try:
            active = await self._started()
            for record in records:
                sent[record.position] = await _hand_over(active, record)
        except (KafkaError, OSError, AssertionError) as error:  # asserts: a partition that the topic does not have
            failures.append(error)
        acknowledged = await _settled(sent, failures)
        if not failures:
            return
        await self.close()
        raise SendFailed(
            f"{type(failures[0]).__name__}: {failures[0]}",
            acknowledged,
            refused=any(isinstance(error, REFUSALS) for error in failures),
        )

    async def close(self) -> None:
        """Stop the producer, but do not wait for a broker that is away."""
        stopping, self._producer = self._producer, None
        if stopping is None:
            return
        try:
            async with asyncio.timeout(STOP_S):
                await stopping.stop()
        except (TimeoutError, KafkaError, OSError) as error:
            log.warning("producer did not stop in time", error=str(error))

    async def _started(self) -> AIOKafkaProducer:
        if self._producer is None:
            # A key's order holds for any linger; 0 sends what is there, and a full outbox fills the batches anyway.
            made = producer(self.bootstrap, enable_idempotence=True, linger_ms=0, max_batch_size=256 * 1024)
            try:
                await made.start()
            except BaseException:
                await made.stop()
                raise
            self._producer = made
        return self._producer


async def _hand_over(active: AIOKafkaProducer, record: Record) -> "asyncio.Future[Any]":
    if record.key is not None or record.value is not None:
        return await active.send(  # type: ignore[no-any-return]
            record.topic, record.value, record.key, partition=record.partition, headers=list(record.headers)
        )
    # `send` refuses a record without key and value; as a dead letter it is as good as any.
    batch = active.create_batch()
    batch.append(key=None, value=None, timestamp=None, headers=list(record.headers))
    return await active.send_batch(batch, record.topic, partition=record.partition)  # type: ignore[no-any-return]


async def _settled(sent: dict[int, "asyncio.Future[Any]"], failures: list[BaseException]) -> list[int]:
    """Wait for all answers; return the positions acknowledged, and add to `failures` why the others are not."""
    if sent:
        await asyncio.wait(sent.values(), timeout=ANSWER_S)
    acknowledged = []
    for position, future in sent.items():
        if not future.done():
            failures.append(TimeoutError(f"no answer within {ANSWER_S:g} s"))
        elif (error := future.exception()) is not None:
            failures.append(error)
        else:
            acknowledged.append(position)
    return acknowledged
