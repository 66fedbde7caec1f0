"""Commands from HTTP to Kafka."""

import asyncio
import time
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError, UnknownTopicOrPartitionError

from notes_chassis.kafka.aiokafka_internals import refusal_of
from notes_chassis.kafka.clients import close, producer, see_topic, started
from notes_chassis.kafka.cluster import Cluster, TokenUnavailable
from notes_chassis.kafka.fetches import public_reason
from notes_command.errors import CommandTooLarge, TopicUnavailable
from notes_command.outbox.producer import MAX_REQUEST
from notes_contracts import Written

log = structlog.get_logger()

SEND_S: Final = 5.0
ANSWER_S: Final = 4.0
"""Less than `SEND_S`, so that the broker's own error is told."""
MISSING_S: Final = 0.3
REMEMBERED_S: Final = 30.0
"""How long readiness tells the last failure, if nothing was sent since."""
STUCK_S: Final = 15.0
"""Seconds of failures alone after which a producer is given up for a new one."""
IN_FLIGHT: Final = 1_000
"""Commands handed over and not yet acknowledged; one more is refused, so that a slow Kafka cannot fill the memory."""


@dataclass(slots=True)
class KafkaCommandTopic:
    """Puts commands on Kafka, as any upstream would.

    Not idempotent on purpose: a repeat is harmless, the command id is its idempotency key; and an idempotent producer
    that failed once for good would go on failing.
    """

    cluster: Cluster
    topic: str
    _producer: AIOKafkaProducer | None = field(default=None, init=False)
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _in_flight: int = field(default=0, init=False)
    _worked_at: float = field(default=0.0, init=False)
    _failure: tuple[str, float] | None = field(default=None, init=False)
    """What went wrong last, since when nothing went well, and when that was."""
    _given_up: set["asyncio.Task[None]"] = field(default_factory=set, init=False)

    async def send(self, record: Written) -> None:
        """Send one command. The partition is Java's of the key, which is aiokafka's default."""
        if self._in_flight >= IN_FLIGHT:
            raise TopicUnavailable(f"{IN_FLIGHT} commands are on their way to Kafka already")
        self._in_flight += 1
        try:
            async with asyncio.timeout(SEND_S):
                active = await self._started()
                try:
                    await self._send(active, record)
                except UnknownTopicOrPartitionError:  # so says a broker, for a moment, of a topic that is quite new
                    await asyncio.sleep(MISSING_S)
                    await self._send(active, record)
            self._worked_at, self._failure = time.monotonic(), None
        except MessageSizeTooLargeError as error:
            raise CommandTooLarge from error
        except (KafkaError, OSError, TimeoutError, AssertionError) as error:
            self._give_up_if_stuck()
            self._failure = (type(error).__name__, time.monotonic())
            raise TopicUnavailable(self._told(error)) from error
        finally:
            self._in_flight -= 1

    async def check(self) -> None:
        """Ask Kafka whether the topic is there, and say what commands failed by. Raises TopicUnavailable."""
        try:
            async with asyncio.timeout(SEND_S):
                active = await self._started()
                there = await _seen(active.client, self.topic)
        except (KafkaError, OSError, TimeoutError) as error:
            raise TopicUnavailable(self._told(error)) from error
        if not there:
            raise TopicUnavailable(f"there is no topic {self.topic}")
        if self._failure is not None and time.monotonic() - self._failure[1] < REMEMBERED_S:
            raise TopicUnavailable(f"{self.topic} cannot be written: {self._failure[0]}")

    async def _send(self, active: AIOKafkaProducer, record: Written) -> None:
        await see_topic(active, self.topic)
        await active.send_and_wait(self.topic, record.value, record.key, headers=list(record.headers))

    def _told(self, error: Exception) -> str:
        # A producer that runs says only that nobody answers.
        refusal = error if isinstance(error, TokenUnavailable) else refusal_of(self._producer)
        return f"{type(error).__name__}: {self.topic}" if refusal is None else public_reason(refusal)

    async def close(self) -> None:
        """Wait a little for what is on its way, then let go."""
        stopping, self._producer = self._producer, None
        await close(stopping)
        if self._given_up:
            await asyncio.wait(self._given_up)

    def _give_up_if_stuck(self) -> None:
        """Let the next command start with a new producer: one whose sender died fails for ever."""
        if self._producer is None or time.monotonic() - self._worked_at < STUCK_S:
            return
        log.warning("producer of commands is stuck, making a new one")
        task = asyncio.create_task(close(self._producer))
        self._given_up.add(task)
        task.add_done_callback(self._given_up.discard)
        self._producer = None

    async def _started(self) -> Any:
        async with self._starting:
            if self._producer is None:
                made = producer(self.cluster, ANSWER_S, max_request_size=MAX_REQUEST)
                self._producer = await started(made, ANSWER_S)
                self._worked_at = time.monotonic()
            return self._producer


async def _seen(client: Any, topic: str) -> bool:
    """Ask for the topic, and return whether it is there. Anybody may have this asked, so not for a whole cluster."""
    client.add_topic(topic)  # while it knows of none that are written, aiokafka asks for all
    if not await client.force_metadata_update():
        raise KafkaError("no broker told its metadata")
    return topic in client.cluster.topics()
