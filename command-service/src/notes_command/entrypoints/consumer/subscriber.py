"""The FastStream subscriber of the command topic: every option that keeps messages is set here."""

import logging
from typing import Any, Final

from faststream import AckPolicy
from faststream.kafka import KafkaBroker

from notes_command.entrypoints.consumer import raw
from notes_command.entrypoints.consumer.consumer import CommandConsumer
from notes_command.entrypoints.consumer.fetches import watch_fetches
from notes_command.entrypoints.consumer.raw import Records
from notes_command.settings import Settings

REBALANCE_MS: Final = 40_000
REVOKE_S: Final = 30.0
"""How long a batch in flight may hold up a rebalance: less than the group waits for its members."""
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
            max_partition_fetch_bytes=4 * 1024 * 1024,
            title="Commands",
            description="CloudEvents 1.0, binary or structured: `notes.command.<name>.v1`.",
        )

        @self._subscriber
        async def handle_commands(records: Records) -> None:
            await commands.handle(records)

    async def start(self) -> None:
        """Join the group. Raises KafkaError while Kafka is away."""
        await self._broker.start()
        self._commands.consumer = self._subscriber.consumer
        watch_fetches(self._subscriber.consumer, self._commands.guard.fetch_failed)

    async def stop(self) -> None:
        """Let the batch in flight end, then leave the group."""
        self._commands.rebalance.leaving.set()
        await self._broker.stop()

    def alive(self) -> bool:
        """Return whether the consuming task and aiokafka's coordination are at work."""
        tasks = self._subscriber.tasks
        return bool(tasks) and not any(task.done() for task in tasks)
