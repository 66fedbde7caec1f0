"""Keeps the consumer alive: starts it when Kafka is there, and again from the committed offsets when it died."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from notes_command.entrypoints import metrics
from notes_command.entrypoints.backoff import Backoff
from notes_command.entrypoints.consumer.subscriber import CommandSubscription
from notes_command.entrypoints.health import Health

log = structlog.get_logger()

LOOK_S: Final = 1.0


@dataclass(slots=True)
class ConsumerSupervisor:
    """Runs one subscription at a time; each life of the consumer is a new one."""

    subscription: Callable[[], CommandSubscription]
    health: Health
    _backoff: Backoff = field(default_factory=Backoff)

    async def run(self) -> None:
        """Run until cancelled, which ends with the batch in flight."""
        while True:
            subscription = self.subscription()
            try:
                await subscription.start()
                log.info("consuming")
                self._backoff.reset()
                self.health.report("consumer", ok=True)
                while subscription.alive():  # noqa: ASYNC110 - a task that is stuck sets no event
                    await asyncio.sleep(LOOK_S)
                log.error("the consumer died, starting it again")
                metrics.RESTARTS.inc()
            except (KafkaError, OSError) as error:
                log.warning("the consumer could not start, trying again", error=str(error))
            finally:
                await subscription.stop()
            self.health.report("consumer", ok=False, reason="starting again")
            await asyncio.sleep(self._backoff.next())
