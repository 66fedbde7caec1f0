"""Keeps a consumer alive: starts it when Kafka is there, and again from the committed offsets when it died."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.fetches import public_reason
from notes_chassis.kafka.subscription import Subscription
from notes_chassis.kafka.topic_state import TopicState
from notes_chassis.kafka.watchdog import HealthSample, OpenTransactions, Watchdog
from notes_chassis.process import Backoff

log = structlog.get_logger()

CHECK_S: Final = 1.0
HEALTHY_S: Final = 60.0
"""After a life that lasted so long the next one begins without a back-off."""
LIFE: Final = "life"
TRANSACTION: Final = "transaction"
ACCESS: Final = "access"
"""The causes, in the consumer's part of /readyz, that are reported here."""


class _TopicGone(Exception):
    """The topic cannot be read any more, or is another one; the text says which."""


@dataclass(slots=True)
class ConsumerSupervisor:
    """Runs one subscription at a time; each life of the consumer is a new one.

    `topic` asks Kafka for the topic's state. The topic has to be there before a consumer starts. If it is made anew
    meanwhile, the next life reads the new topic from its beginning. `seen` is called with every sample of the consumer.
    """

    batches: BatchConsumer
    subscription: Callable[[], Subscription]
    topic: Callable[[], Awaitable[TopicState]]
    seen: Callable[[HealthSample], None] = lambda _: None
    _backoff: Backoff = field(default_factory=Backoff)
    _unread: int = 0
    """Records of the topic that were not read at the last sample."""
    _transaction_open: bool = False

    async def run(self) -> None:
        """Run until cancelled, which ends with the batch in flight."""
        while True:
            reason = await self._live()
            log.warning("not consuming, trying again", consumer=self.batches.name, reason=reason)
            self._report(reason)
            await asyncio.sleep(self._backoff.next())

    def _report(self, reason: str | None, cause: str = LIFE) -> bool:
        """Report to readiness; return whether the reason is another one than before."""
        return self.batches.health.report(self.batches.name, ok=reason is None, reason=reason, cause=cause)

    async def _live(self) -> str:
        """Consume until that ends, and return why it did."""
        try:
            topic = await self.topic()
        except (KafkaError, OSError) as error:
            return self._away(error)
        if topic.problem is not None:
            return topic.problem
        self.batches.positions.begin(topic.id, self._unread)
        subscription = self.subscription()
        try:
            await subscription.start()
            log.info("consuming", consumer=self.batches.name)
            self._report(None)
            reason = await self._watch(subscription)
        except _TopicGone as gone:
            return str(gone)
        except (KafkaError, OSError) as error:
            return self._away(error)
        finally:
            await subscription.stop()
        self.batches.metrics.of(self.batches.metrics.restarts, self.batches.name).inc()
        return reason

    def _away(self, error: Exception) -> str:
        """Return the public reason; Kafka's addresses are for the log."""
        log.info("Kafka did not do as asked", consumer=self.batches.name, error=str(error) or type(error).__name__)
        return public_reason(error)

    async def _watch(self, subscription: Subscription) -> str:
        """Check the consumer again and again; return what is wrong once something is."""
        watchdog = Watchdog()
        open_transactions = OpenTransactions()
        born = time.monotonic()
        while True:
            self.batches.resume()
            sample = await subscription.sample()
            self.seen(sample)
            self._check_topic(sample)
            self._report_uncommitted(sample, open_transactions)
            self._report_refusal(sample)
            if diagnosis := watchdog.diagnosis(sample) or self.batches.take_authorization_error():
                return diagnosis
            if time.monotonic() - born >= HEALTHY_S:
                self._backoff.reset()
            await asyncio.sleep(CHECK_S)

    def _check_topic(self, sample: HealthSample) -> None:
        if sample.topic is not None:
            raise _TopicGone(sample.topic.problem or f"topic {sample.topic.name} was made anew")
        if sample.ends:
            unread = (max(0, end - sample.positions.get(number, end)) for number, end in sample.ends.items())
            self._unread = sum(unread)

    def _report_uncommitted(self, sample: HealthSample, transactions: OpenTransactions) -> None:
        batches = self.batches
        waiting = sum(partition.records for partition in sample.uncommitted.values())
        batches.metrics.of(batches.metrics.uncommitted, batches.name).set(waiting)
        reason = transactions.diagnosis(sample.uncommitted)
        self._report(reason, TRANSACTION)
        if self._transaction_open != (reason is not None):
            self._transaction_open = reason is not None
            event = "records wait behind an open transaction" if reason else "no transaction is open any more"
            log.warning(event, consumer=batches.name, reason=reason)

    def _report_refusal(self, sample: HealthSample) -> None:
        reason = None if sample.refusal is None else public_reason(sample.refusal)
        if self._report(reason, ACCESS):
            event = "Kafka refuses new connections, trying again" if reason else "Kafka takes new connections again"
            log.warning(event, consumer=self.batches.name, reason=reason)
