"""Kafka as the importer sees it: commands go out, outcomes come in."""

import asyncio
import logging
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Protocol, Self

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.errors import KafkaConnectionError, KafkaError
from pydantic import TypeAdapter, ValidationError

from notes_contracts import OUTCOMES, Outcome, Written, read
from notes_contracts.topics import COMMANDS_TOPIC
from tools.markdown_import.addresses import Addresses
from tools.markdown_import.errors import ImportStoppedError
from tools.markdown_import.topics import look_at_topics

CONNECT_S = 15.0
PUBLISH_S = 60.0
CLOSE_S = 5.0
_BATCH_BYTES = 256 * 1024

_outcome = TypeAdapter(Outcome)


class Bus(Protocol):
    """What the importer needs of Kafka."""

    async def publish(self, records: Sequence[Written]) -> None:
        """Return when Kafka has all of them. Raises ImportStoppedError if it does not take one."""
        ...

    async def receive(self) -> list[Outcome]:
        """Wait for outcomes, anybody's, and return them."""
        ...


class KafkaBus:
    """A producer for commands and a consumer, in no group, of the outcomes written after it was opened."""

    def __init__(self, addresses: Addresses) -> None:
        """Make the clients; `opened` starts them."""
        self._addresses = addresses
        self._producer = AIOKafkaProducer(
            bootstrap_servers=addresses.kafka,
            acks="all",
            enable_idempotence=True,
            max_request_size=COMMANDS_TOPIC.max_bytes,
            max_batch_size=_BATCH_BYTES,
        )
        self._consumer = AIOKafkaConsumer(
            bootstrap_servers=addresses.kafka,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            isolation_level="read_committed",
        )

    @classmethod
    @asynccontextmanager
    async def opened(cls, addresses: Addresses) -> AsyncIterator[tuple[Self, str]]:
        """Connect, and yield the bus with the name of the system it leads to. Raises ImportStoppedError."""
        logging.getLogger("aiokafka").setLevel(logging.CRITICAL)  # what it has to say comes as an exception
        bus = cls(addresses)
        try:
            try:
                async with asyncio.timeout(CONNECT_S):
                    cluster, outcomes = await look_at_topics(addresses)
                    await bus._producer.start()
                    await bus._consumer.start()
                    await bus._stand_at_the_end(outcomes)
            except (KafkaError, OSError, TimeoutError) as error:
                raise ImportStoppedError(f"Kafka at {addresses.kafka} cannot be reached: {_why(error)}.") from None
            yield bus, f"{addresses.commands} on cluster {cluster}"
        finally:
            await bus._close()

    async def _stand_at_the_end(self, partitions: list[TopicPartition]) -> None:
        """Read the outcomes from here on; whatever is published after this is answered after this."""
        self._consumer.assign(partitions)
        for partition, end in (await self._consumer.end_offsets(partitions)).items():
            self._consumer.seek(partition, end)

    async def publish(self, records: Sequence[Written]) -> None:
        """See `Bus`. The partition is the one Java's client picks, which is aiokafka's default."""
        try:
            async with asyncio.timeout(PUBLISH_S):  # an idempotent producer would try for ever
                sent = [
                    await self._producer.send(
                        self._addresses.commands, key=record.key, value=record.value, headers=list(record.headers)
                    )
                    for record in records
                ]
                await asyncio.gather(*sent)
        except (KafkaError, TimeoutError) as error:
            raise ImportStoppedError(
                f"Kafka at {self._addresses.kafka} did not take the commands: {_why(error, PUBLISH_S)}; "
                "run the import again when it is back, nothing is lost or done twice."
            ) from None

    async def receive(self) -> list[Outcome]:
        """See `Bus`. A record that is no outcome is passed over."""
        try:
            batches = await self._consumer.getmany(timeout_ms=1000)
        except KafkaError as error:
            raise ImportStoppedError(
                f"Outcomes cannot be read from Kafka at {self._addresses.kafka}: {_why(error)}."
            ) from None
        found = (_read(record.headers, record.value) for batch in batches.values() for record in batch)
        return [outcome for outcome in found if outcome is not None]

    async def _close(self) -> None:
        # With its broker away a producer waits for ever for what it still holds, and a consumer raises CancelledError.
        stopping = {asyncio.create_task(client.stop()) for client in (self._producer, self._consumer)}
        await asyncio.wait(stopping, timeout=CLOSE_S)
        for task in stopping:
            task.cancel()
        await asyncio.gather(*stopping, return_exceptions=True)


def _read(headers: Sequence[tuple[str, bytes]], value: bytes | None) -> Outcome | None:
    received = read(headers, value)
    if received.type not in OUTCOMES:
        return None
    try:
        return _outcome.validate_json(received.data or b"")
    except ValidationError:
        return None


def _why(error: Exception, seconds: float = CONNECT_S) -> str:
    if isinstance(error, KafkaConnectionError):
        return "no broker answers there"
    if isinstance(error, TimeoutError):
        return f"no answer within {seconds:g} s"
    return str(error) or type(error).__name__
