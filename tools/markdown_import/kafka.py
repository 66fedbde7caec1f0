"""Kafka as the importer sees it: commands go out, outcomes come in. What fails raises KafkaError or TimeoutError."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.errors import KafkaError
from pydantic import ValidationError

from notes_chassis.kafka.topic_state import topic_states
from notes_contracts import OUTCOMES, Outcome, Written, read
from notes_contracts.topics import COMMANDS_TOPIC
from tools.kafka_client import client_options
from tools.markdown_import import ImportStoppedError

CONNECT_S, PUBLISH_S, CLOSE_S = 15.0, 60.0, 5.0


@dataclass(frozen=True, slots=True)
class Kafka:
    """A producer of commands to a topic of the `target` system; a consumer, in no group, of outcomes from now on."""

    commands: str
    target: str
    producer: AIOKafkaProducer
    consumer: AIOKafkaConsumer

    async def publish(self, records: Sequence[Written]) -> None:
        """Return when Kafka has all of them, each where Java's client would put it, which is aiokafka's default."""
        async with asyncio.timeout(PUBLISH_S):  # an idempotent producer would try for ever
            put = self.producer.send
            await asyncio.gather(*[await put(self.commands, it.value, it.key, headers=[*it.headers]) for it in records])

    async def receive(self, seconds: float) -> list[Outcome]:
        """Wait for outcomes, anybody's, at most so long. A record that is no outcome is passed over."""
        batches = await self.consumer.getmany(timeout_ms=int(seconds * 1000))
        outcomes = []
        for received in (read(record.headers, record.value) for batch in batches.values() for record in batch):
            with suppress(ValidationError):
                outcomes += [Outcome.model_validate_json(received.data or b"")] if received.type in OUTCOMES else []
        return outcomes


@asynccontextmanager
async def connected(environment: Mapping[str, str], commands: str, outcomes: str) -> AsyncIterator[Kafka]:
    """Yield the clients once they stand at the end of the outcomes: what is published then is answered after that."""
    address = environment["NOTES_KAFKA"]
    try:
        options = client_options(environment)
    except (ValueError, OSError) as error:
        raise ImportStoppedError(f"Kafka at {address} cannot be spoken to: {error}.") from None
    producer = AIOKafkaProducer(
        **options, acks="all", enable_idempotence=True, max_request_size=COMMANDS_TOPIC.max_bytes
    )
    consumer = AIOKafkaConsumer(outcomes, **options, isolation_level="read_committed")
    try:
        try:
            async with asyncio.timeout(CONNECT_S):
                await producer.start()
                found = {one.name: one for one in await topic_states(producer.client, [commands, outcomes])}
                if missing := [name for name, one in found.items() if one.problem]:
                    raise ImportStoppedError(f"Kafka at {address} has no topic {', '.join(missing)}: run `make up`.")
                await consumer.start()
                await asyncio.gather(*map(consumer.position, consumer.assignment()))  # until it stands at the end
        except (KafkaError, OSError, ValueError, OverflowError) as error:
            raise ImportStoppedError(f"Kafka at {address} cannot be reached: {str(error) or 'no answer'}.") from None
        # A system that was purged has another topic, while the image of Kafka gives every cluster the same id.
        yield Kafka(commands, f"{commands} with the id {found[commands].id or address}", producer, consumer)
    finally:
        # With its broker away a producer waits for ever for what it holds, and a consumer raises CancelledError.
        stopping = asyncio.gather(producer.stop(), consumer.stop(), return_exceptions=True)
        with suppress(TimeoutError):
            await asyncio.wait_for(stopping, CLOSE_S)
