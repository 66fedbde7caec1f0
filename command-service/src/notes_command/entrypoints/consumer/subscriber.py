"""The FastStream subscriber of the command topic: every option that keeps messages is set here."""

import asyncio
import logging
from typing import Any, Final

import structlog
from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from notes_chassis.kafka import raw
from notes_chassis.kafka.fetches import watch_fetches
from notes_chassis.kafka.raw import Records
from notes_command.entrypoints.consumer.consumer import CommandConsumer
from notes_command.entrypoints.consumer.vitals import abandon, ended, look
from notes_command.entrypoints.consumer.watchdog import Vitals
from notes_command.settings import Settings

log = structlog.get_logger()

REBALANCE_MS: Final = 40_000
REVOKE_S: Final = 30.0
"""How long a batch in flight may hold up a rebalance: less than the group waits for its members."""
START_S: Final = 120.0
STOP_S: Final = REVOKE_S + 15.0
_DAY_MS: Final = 24 * 60 * 60 * 1000


class CommandSubscription:
    """A broker and its one subscriber, for one life of the consumer. The consumer exists while the broker runs."""

    def __init__(self, settings: Settings, commands: CommandConsumer) -> None:
        # apply_types=False: the handler takes raw records, there is nothing to inject or to cast.
        self._broker = KafkaBroker(
            settings.kafka,
            client_id="notes-command",
            apply_types=False,
            allow_auto_create_topics=False,
            consumer_only=True,
            logger=logging.getLogger("faststream"),
            graceful_timeout=REVOKE_S,
        )
        self._commands = commands
        self._subscriber: Any = self._broker.subscriber(
            settings.topic_commands,
            batch=True,
            max_records=settings.command_batch,
            batch_timeout_ms=1,  # not a linger: how long to sleep after a fetch that brought nothing, see fetches.py
            group_id=settings.command_group,
            ack_policy=AckPolicy.MANUAL,  # the default acknowledges before the work; we commit after it
            auto_offset_reset="earliest",  # the default would skip what came before the group's first start
            isolation_level="read_committed",  # the default executes commands of aborted transactions
            no_reply=True,  # else a record's own header could name a topic to write to
            parser=raw.parse,
            decoder=raw.decode,
            listener=commands.rebalance,
            session_timeout_ms=settings.kafka_session_ms,
            heartbeat_interval_ms=settings.kafka_session_ms // 5,
            rebalance_timeout_ms=REBALANCE_MS,
            # A batch that waits for PostgreSQL is no reason to leave the group; stuck consumers are the watchdog's.
            max_poll_interval_ms=_DAY_MS,
            fetch_max_wait_ms=100,
            # Fetched ahead of each partition, whatever is waiting there. Of what is larger, Kafka sends one batch.
            max_partition_fetch_bytes=1024 * 1024,
            title="Commands",
            description="CloudEvents 1.0, binary or structured: `notes.command.<name>.v1`.",
        )

        @self._subscriber
        async def handle_commands(records: Records) -> None:
            await commands.handle(records)

    async def start(self) -> None:
        """Join the group. Raises KafkaError, OSError or TimeoutError while Kafka is away."""
        async with asyncio.timeout(START_S):
            await self._broker.start()
        self._commands.consumer = self._subscriber.consumer
        watch_fetches(self._subscriber.consumer, self._commands.guard.fetch_failed)

    async def stop(self) -> None:
        """Let the batch in flight end, then leave the group. A consumer that cannot stop any more is taken apart."""
        self._commands.rebalance.leaving.set()
        await self._commands.rebalance.settled()  # the broker would not wait for commits
        consumer = self._subscriber.consumer
        stopping = asyncio.create_task(self._broker.stop())
        await asyncio.wait([stopping], timeout=STOP_S)
        if stopping.done() and not stopping.cancelled() and stopping.exception() is None:
            return
        log.warning("the consumer did not stop by itself", error=_why(stopping))
        stopping.cancel()
        if consumer is not None:
            await abandon(consumer)

    def ended(self) -> tuple[str, ...]:
        """Return which of the tasks that should run for ever have ended: the consuming loop, or aiokafka's own."""
        return ended(self._subscriber.consumer, self._subscriber.tasks)

    def resume(self) -> None:
        """Fetch again from partitions that have waited long enough."""
        self._commands.resume()

    async def vitals(self) -> Vitals:
        """Return how the consumer is, which includes what Kafka says about it."""
        if names := self.ended():
            return Vitals(ended=names)
        commands = self._commands
        return await look(self._subscriber.consumer, waiting=commands.in_backoff, busy=commands.busy)


def _why(stopping: "asyncio.Task[None]") -> str:
    if not stopping.done():
        return f"not done within {STOP_S:g} s"
    return "cancelled" if stopping.cancelled() else repr(stopping.exception())
