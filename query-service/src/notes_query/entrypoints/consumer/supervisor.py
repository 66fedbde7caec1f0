"""Keeps a consumer alive: starts it when Kafka is there, and again from the committed offsets when it died."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from notes_chassis.backoff import Backoff
from notes_query.entrypoints import metrics
from notes_query.entrypoints.consumer.subscriber import Subscription
from notes_query.entrypoints.consumer.watchdog import Vitals, Watchdog
from notes_query.entrypoints.health import Health

log = structlog.get_logger()

LOOK_S: Final = 1.0
HEALTHY_S: Final = 60.0
"""A life that lasted so long and ended is no reason to wait before the next."""


@dataclass(slots=True)
class ConsumerSupervisor:
    """Runs one subscription at a time; each life of the consumer is a new one.

    `missing` names the topics that are not there yet: a consumer that starts before its topic sees it minutes later.
    `seen` is told of every look at the consumer.
    """

    lane: str
    subscription: Callable[[], Subscription]
    missing: Callable[[], Awaitable[Sequence[str]]]
    health: Health
    seen: Callable[[Vitals], None] = lambda _: None
    watchdog: Callable[[], Watchdog] = Watchdog
    _backoff: Backoff = field(default_factory=Backoff)

    async def run(self) -> None:
        """Run until cancelled, which ends with the batch in flight."""
        while True:
            reason = await self._live()
            log.warning("not consuming, trying again", lane=self.lane, reason=reason)
            self.health.report(self.lane, ok=False, reason=reason)
            await asyncio.sleep(self._backoff.next())

    async def _live(self) -> str:
        """Consume until that ends, and return why it did."""
        try:
            if missing := await self.missing():
                return f"there is no topic {', '.join(missing)}"
        except (KafkaError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        subscription = self.subscription()
        try:
            await subscription.start()
            log.info("consuming", lane=self.lane)
            self.health.report(self.lane, ok=True)
            reason = await self._watch(subscription)
        except (KafkaError, OSError) as error:
            return f"{type(error).__name__}: {error}"
        finally:
            await subscription.stop()
        metrics.RESTARTS.labels(self.lane).inc()
        return reason

    async def _watch(self, subscription: Subscription) -> str:
        """Look at the consumer again and again; return what is wrong once something is."""
        watchdog, born = self.watchdog(), time.monotonic()
        while True:
            vitals = await subscription.vitals()
            self.seen(vitals)
            if complaint := watchdog.complaint(vitals):
                return complaint
            if time.monotonic() - born >= HEALTHY_S:
                self._backoff.reset()
            await asyncio.sleep(LOOK_S)
