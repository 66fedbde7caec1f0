"""Sends the commands that arrive over HTTP to Kafka."""

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
"""Less than `SEND_S`, so that the broker's own error is reported."""
MISSING_S: Final = 0.3
"""Seconds before a send is repeated because the broker does not know the topic yet."""
REMEMBERED_S: Final = 30.0
"""Seconds for which readiness names the last failure, if nothing was sent since."""
STUCK_S: Final = 15.0
"""Seconds without any success after which a producer is replaced."""
IN_FLIGHT: Final = 1_000
"""Commands that may wait for Kafka's acknowledgement. Others are refused: a slow Kafka must not fill the memory."""


@dataclass(slots=True)
class KafkaCommandTopic:
    """Puts commands on Kafka, as any upstream does.

    The producer is not idempotent. A repeated record is harmless, since the command id is the idempotency key; and an
    idempotent producer whose batch failed goes on failing.
    """

    cluster: Cluster
    topic: str
    _producer: AIOKafkaProducer | None = field(default=None, init=False)
    _starting: asyncio.Lock = field(default_factory=asyncio.Lock, init=False)
    _in_flight: int = field(default=0, init=False)
    _worked_at: float = field(default=0.0, init=False)
    _failure: tuple[str, float] | None = field(default=None, init=False)
    """The kind of the last failure and its time by the monotonic clock; None after a success."""
    _given_up: set["asyncio.Task[None]"] = field(default_factory=set, init=False)

    async def send(self, record: Written) -> None:
        """Send a command, to the partition that Java's client takes. Raises TopicUnavailable, CommandTooLarge."""
        if self._in_flight >= IN_FLIGHT:
            raise TopicUnavailable(f"{IN_FLIGHT} commands are on their way to Kafka already")
        self._in_flight += 1
        try:
            async with asyncio.timeout(SEND_S):
                active = await self._started()
                try:
                    await self._send(active, record)
                except UnknownTopicOrPartitionError:  # for a moment, a broker may not know a new topic
                    await asyncio.sleep(MISSING_S)
                    await self._send(active, record)
            self._worked_at = time.monotonic()
            self._failure = None
        except MessageSizeTooLargeError as error:
            raise CommandTooLarge from error
        except (KafkaError, OSError, TimeoutError, AssertionError) as error:
            self._give_up_if_stuck()
            self._failure = (type(error).__name__, time.monotonic())
            raise TopicUnavailable(self._reason(error)) from error
        finally:
            self._in_flight -= 1

    async def check(self) -> None:
        """Return if the topic exists and commands can be sent to it. Raises TopicUnavailable."""
        try:
            async with asyncio.timeout(SEND_S):
                active = await self._started()
                exists = await _exists(active.client, self.topic)
        except (KafkaError, OSError, TimeoutError) as error:
            raise TopicUnavailable(self._reason(error)) from error
        if not exists:
            raise TopicUnavailable(f"there is no topic {self.topic}")
        if self._failure is not None and time.monotonic() - self._failure[1] < REMEMBERED_S:
            raise TopicUnavailable(f"{self.topic} cannot be written: {self._failure[0]}")

    async def _send(self, active: AIOKafkaProducer, record: Written) -> None:
        await see_topic(active, self.topic)
        await active.send_and_wait(self.topic, record.value, record.key, headers=list(record.headers))

    def _reason(self, error: Exception) -> str:
        # The error of a running producer says only that nobody answers. Its client knows why it was refused.
        refusal = error if isinstance(error, TokenUnavailable) else refusal_of(self._producer)
        return f"{type(error).__name__}: {self.topic}" if refusal is None else public_reason(refusal)

    async def close(self) -> None:
        """Send what is under way, within the time that `close` gives, and stop all producers."""
        stopping, self._producer = self._producer, None
        await close(stopping)
        if self._given_up:
            await asyncio.wait(self._given_up)

    def _give_up_if_stuck(self) -> None:
        """Have the next command start a new producer. One whose sender task died fails for ever."""
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


async def _exists(client: Any, topic: str) -> bool:
    """Return whether the topic exists. Metadata of other topics are not fetched: anybody may trigger this."""
    client.add_topic(topic)  # without any topic, aiokafka fetches the metadata of all
    if not await client.force_metadata_update():
        raise KafkaError("no broker told its metadata")
    return topic in client.cluster.topics()
