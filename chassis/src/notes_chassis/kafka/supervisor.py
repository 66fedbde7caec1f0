"""Keeps a consumer alive: starts it when Kafka is there, and again from the committed offsets when it died."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from notes_chassis.backoff import Backoff
from notes_chassis.kafka.consumer import BatchConsumer
from notes_chassis.kafka.subscription import Subscription
from notes_chassis.kafka.watchdog import HealthSample, Watchdog

log = structlog.get_logger()

LOOK_S: Final = 1.0
HEALTHY_S: Final = 60.0
"""A life that lasted so long and ended is no reason to wait before the next."""
LIFE: Final = "life"
"""The cause, in the consumer's part of /readyz, that is reported here."""


@dataclass(slots=True)
class ConsumerSupervisor:
    """Runs one subscription at a time; each life of the consumer is a new one.

    `missing` names the topics that are not there yet: a consumer that starts before its topic sees it minutes later.
    `seen` is told of every look at the consumer.
    """

    batches: BatchConsumer
    subscription: Callable[[], Subscription]
    missing: Callable[[], Awaitable[Sequence[str]]]
    seen: Callable[[HealthSample], None] = lambda _: None
    watchdog: Callable[[], Watchdog] = Watchdog
    _backoff: Backoff = field(default_factory=Backoff)

    async def run(self) -> None:
        """Run until cancelled, which ends with the batch in flight."""
        while True:
            reason = await self._live()
            log.warning("not consuming, trying again", consumer=self.batches.name, reason=reason)
            self._report(reason)
            await asyncio.sleep(self._backoff.next())

    def _report(self, reason: str | None) -> None:
        batches = self.batches
        batches.health.report(batches.name, ok=reason is None, reason=reason, cause=LIFE)

    async def _live(self) -> str:
        """Consume until that ends, and return why it did."""
        try:
            if missing := await self.missing():
                return f"there is no topic {', '.join(missing)}"
        except (KafkaError, OSError) as error:
            return self._away(error)
        subscription = self.subscription()
        try:
            await subscription.start()
            log.info("consuming", consumer=self.batches.name)
            self._report(None)
            reason = await self._watch(subscription)
        except (KafkaError, OSError) as error:
            return self._away(error)
        finally:
            await subscription.stop()
        self.batches.metrics.of(self.batches.metrics.restarts, self.batches.name).inc()
        return reason

    def _away(self, error: Exception) -> str:
        """Return what may be said of Kafka in public: its addresses are for the log."""
        log.info("Kafka did not do as asked", consumer=self.batches.name, error=str(error))
        return f"Kafka: {type(error).__name__}"

    async def _watch(self, subscription: Subscription) -> str:
        """Look at the consumer again and again; return what is wrong once something is."""
        watchdog, born = self.watchdog(), time.monotonic()
        while True:
            self.batches.resume()
            sample = await subscription.sample()
            self.seen(sample)
            if diagnosis := watchdog.diagnosis(sample):
                return diagnosis
            if time.monotonic() - born >= HEALTHY_S:
                self._backoff.reset()
            await asyncio.sleep(LOOK_S)
