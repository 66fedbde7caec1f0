"""Keeps the consumer alive: starts it when Kafka is there, and again from the committed offsets when it died."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from notes_chassis.backoff import Backoff
from notes_command.entrypoints import metrics
from notes_command.entrypoints.consumer.subscriber import CommandSubscription
from notes_command.entrypoints.consumer.watchdog import Watchdog
from notes_command.entrypoints.health import Health

log = structlog.get_logger()

LOOK_S: Final = 1.0
ASK_S: Final = 5.0
"""Seconds between two questions to Kafka, and between two looks at what costs nothing."""
STEADY_S: Final = 60.0
"""Whoever lived that long and died is started again without delay."""


@dataclass(slots=True)
class ConsumerSupervisor:
    """Runs one subscription at a time; each life of the consumer is a new one."""

    subscription: Callable[[], CommandSubscription]
    health: Health
    watchdog: Callable[[], Watchdog] = Watchdog
    _backoff: Backoff = field(default_factory=Backoff)

    async def run(self) -> None:
        """Run until cancelled, which ends with the batch in flight."""
        while True:
            subscription, reason = self.subscription(), "starting again"
            try:
                await subscription.start()
                log.info("consuming")
                self.health.report("consumer", ok=True)
                born = time.monotonic()
                reason = await self._until_ill(subscription)
                log.error("the consumer died, starting it again", reason=reason)
                metrics.RESTARTS.inc()
                if time.monotonic() - born >= STEADY_S:
                    self._backoff.reset()
            except (KafkaError, OSError) as error:
                reason = str(error)
                log.warning("the consumer could not start, trying again", error=reason)
            finally:
                await subscription.stop()
            self.health.report("consumer", ok=False, reason=reason)
            await asyncio.sleep(self._backoff.next())

    async def _until_ill(self, subscription: CommandSubscription) -> str:
        """Return why the consumer has to be started again, once it has to be."""
        watchdog, asked = self.watchdog(), float("-inf")
        while True:
            subscription.resume()
            if subscription.ended() or time.monotonic() - asked >= ASK_S:
                if reason := watchdog.ailment(await subscription.vitals()):
                    return reason
                asked = time.monotonic()
            await asyncio.sleep(LOOK_S)
