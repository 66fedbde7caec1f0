"""The FastStream subscriber of a topic: every option that keeps records is set here."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, replace
from typing import Any, Final

import structlog
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError
from faststream import AckPolicy
from faststream.kafka import KafkaBroker
from faststream.message import StreamMessage

from notes_chassis.kafka.aiokafka_internals import Consumer, assignment_of, dead_tasks, refusal_of, take_apart
from notes_chassis.kafka.cluster import Cluster
from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.fetches import FETCH_WAIT_MS
from notes_chassis.kafka.pacing import Patience, impatient
from notes_chassis.kafka.partitions import REVOKE_S, Records
from notes_chassis.kafka.watchdog import HealthSample, ask_topic, take_sample

log = structlog.get_logger()

REBALANCE_MS: Final = 40_000
START_S: Final = 120.0
STOP_S: Final = REVOKE_S + 15.0
TOPIC_S: Final = 2.0
"""Seconds between two checks of the topic."""
RESTING_S: Final = 3.0
"""Seconds between two samples of a consumer that rests."""
Message = StreamMessage[Any]
_DAY_MS: Final = 24 * 60 * 60 * 1000
_AHEAD: Final = 1024 * 1024
"""Bytes prefetched per partition, held by every consumer that is behind. Measured: 128 KiB made the background
projector half as fast. A larger record arrives all the same: Kafka answers with at least one batch of records."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A topic, the group that reads it, and how much of it is read together.

    `records`: the most in a batch. `session_ms`: how long the group waits for a silent consumer. `patience`: how long
    records may wait for more of them. `fetch_max_bytes`: of one fetch. `ahead`: bytes prefetched per partition.
    """

    cluster: Cluster
    client_id: str
    topic: str
    group: str
    records: int
    session_ms: int
    patience: Patience = impatient
    fetch_max_bytes: int = 50 * 1024 * 1024
    ahead: int = _AHEAD


class Subscription:
    """A broker and its one subscriber, for one life of the consumer. The consumer exists while the broker runs."""

    def __init__(self, reading: Reading, batches: BatchConsumer) -> None:
        # apply_types=False: the handler takes raw records, there is nothing to inject or to cast.
        self.broker = KafkaBroker(
            **reading.cluster.broker(),
            client_id=reading.client_id,
            apply_types=False,
            allow_auto_create_topics=False,
            consumer_only=True,
            graceful_timeout=REVOKE_S,
            logger=logging.getLogger("faststream"),
        )
        self._batches = batches
        self._reading = reading
        self._topic_asked_at = float("-inf")
        self._last_sample = HealthSample()
        self._sampled_assignment: Any = None
        self._sampled_at = float("-inf")
        self._subscriber: Any = self.broker.subscriber(
            reading.topic,
            batch=True,
            max_records=reading.records,
            batch_timeout_ms=1,  # no linger: how long to sleep after a poll without records, see fetches.py
            group_id=reading.group,
            ack_policy=AckPolicy.MANUAL,  # the default acknowledges before the work; we commit after it
            auto_offset_reset="earliest",  # the default would skip what came before the group's first start
            isolation_level="read_committed",  # the default shows records of aborted transactions
            no_reply=True,  # else a record's own header could name a topic to write to
            parser=parse,
            decoder=decode,
            listener=batches.rebalance,
            session_timeout_ms=reading.session_ms,
            heartbeat_interval_ms=reading.session_ms // 5,
            rebalance_timeout_ms=REBALANCE_MS,
            # A batch that waits for a server is no reason to leave the group: another member would wait as long.
            max_poll_interval_ms=_DAY_MS,
            fetch_min_bytes=1,  # changed before each request, as fetch_max_wait_ms is, see fetches.py
            fetch_max_wait_ms=FETCH_WAIT_MS,
            max_partition_fetch_bytes=reading.ahead,
            fetch_max_bytes=reading.fetch_max_bytes,
        )

        async def handle(records: Any) -> None:
            await batches.handle(records)

        self._subscriber(handle)
        batches.consumer.begin_life(self._consumer)

    async def start(self) -> None:
        """Join the group. Raises KafkaError, OSError or TimeoutError while Kafka is away."""
        with self._batches.fetches.watching(lambda: self._subscriber.consumer, self._reading.patience):
            async with asyncio.timeout(START_S):
                await self.broker.start()

    async def stop(self) -> None:
        """Let the batch in flight end, then leave the group. A consumer that does not stop is taken apart."""
        self._batches.rebalance.disown()
        await self._batches.rebalance.until_idle()  # the broker would not wait for commits
        consumer = self._subscriber.consumer
        stopping = asyncio.create_task(self.broker.stop())
        await asyncio.wait([stopping], timeout=STOP_S)
        if stopping.done() and not stopping.cancelled() and stopping.exception() is None:
            return
        log.warning("the consumer did not stop, taking it apart", consumer=self._batches.name, error=_why(stopping))
        stopping.cancel()
        if consumer is not None:
            await take_apart(consumer)

    async def sample(self) -> HealthSample:
        """Return the consumer's state: its topic every TOPIC_S, and while it rests a new state every RESTING_S."""
        consumer = self._subscriber.consumer
        if dead := dead_tasks(consumer, self._subscriber.tasks):
            return HealthSample(dead=dead)
        assignment = assignment_of(consumer)
        age_s = time.monotonic() - self._sampled_at
        unchanged = self._batches.fetches.resting and assignment is self._sampled_assignment
        if unchanged and age_s < RESTING_S and self._last_sample.reachable:
            return replace(self._last_sample, asked_s_ago=self._last_sample.asked_s_ago + age_s)
        topic = None
        if time.monotonic() - self._topic_asked_at >= TOPIC_S:
            topic = await ask_topic(consumer, self._reading.topic)
            self._topic_asked_at = time.monotonic()
        if topic is not None and not self._batches.positions.is_same_topic(topic):
            return HealthSample(reachable=False, topic=topic)
        try:
            sample = await take_sample(consumer, self._learn, waiting=self._batches.waiting, busy=self._batches.busy)
        except self._batches.expected:  # the store does not say how far it is: where to go on is not known yet
            return HealthSample(reachable=False)
        self._last_sample = replace(sample, refusal=refusal_of(consumer))
        self._sampled_assignment = assignment
        self._sampled_at = time.monotonic()
        return self._last_sample

    async def _learn(self, consumer: Consumer, partitions: Collection[TopicPartition]) -> None:
        await self._batches.positions.learn(consumer, partitions, lambda: not self._batches.busy)

    def _consumer(self) -> Consumer:
        # FastStream creates it at start and drops it at stop; a batch can outlive that.
        consumer: Consumer | None = self._subscriber.consumer
        if consumer is None:
            raise IllegalStateError("the subscription has been stopped")
        return consumer


def _why(stopping: "asyncio.Task[None]") -> str:
    if not stopping.done():
        return f"not done within {STOP_S:g} s"
    return "cancelled" if stopping.cancelled() else repr(stopping.exception())


async def parse(records: Records, original: Callable[[Records], Awaitable[Message]]) -> Message:
    """Return the batch as FastStream's message.

    The original parser decodes every header as UTF-8. A header that is null or not UTF-8 makes it raise: no ack, no
    nack, and the next commit passes the whole batch. So it gets one record without headers instead.
    """
    message = await original((replace(records[0], headers=()),))
    message.raw_message = records
    return message


async def decode(message: Message) -> Records:
    """Return the raw records."""
    records: Records = message.raw_message
    return records
