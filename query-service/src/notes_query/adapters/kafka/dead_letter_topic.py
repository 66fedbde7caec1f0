"""Sends dead letters to their topic."""

import asyncio
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from notes_contracts import format_time
from notes_query.application.errors import SendFailed
from notes_query.application.ports import DeadLetter

log = structlog.get_logger()

ADDED: Final = "dead-letter-"
_ADDED_NAMES: Final = frozenset(ADDED + name for name in ("code", "reason", "topic", "partition", "offset", "time"))
_STOP_S: Final = 5.0
_ANSWER_S: Final = 45.0


class DeadLetterTopic:
    """One producer, made when there is something to send, thrown away when it failed."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self._topic = topic
        self._producer: Any = None

    async def send(self, letter: DeadLetter) -> None:
        """Send one, and return when every replica has it. Raises SendFailed."""
        try:
            async with asyncio.timeout(_ANSWER_S):
                producer = await self._started()
                # A batch of one: `send` refuses a record without key and value, and limits the size before compression.
                batch = producer.create_batch()
                batch.append(
                    timestamp=None, key=letter.record.key, value=letter.record.value, headers=headers_of(letter)
                )
                await (await producer.send_batch(batch, self._topic, partition=0))
        except (KafkaError, OSError, TimeoutError) as error:
            await self.close()
            raise SendFailed(f"{type(error).__name__}: {error}") from error

    async def close(self) -> None:
        """Stop the producer, but do not wait for a broker that is away."""
        stopping, self._producer = self._producer, None
        if stopping is None:
            return
        try:
            async with asyncio.timeout(_STOP_S):
                await stopping.stop()
        except (TimeoutError, KafkaError, OSError) as error:
            log.warning("producer did not stop in time", error=str(error))
            await stopping._sender.close()  # noqa: SLF001 - its `stop`, once cancelled, leaves the sender running
            await stopping.client.close()

    async def _started(self) -> Any:
        if self._producer is None:
            self._producer = AIOKafkaProducer(
                bootstrap_servers=self._bootstrap, acks="all", enable_idempotence=True, compression_type="gzip"
            )
            await self._producer.start()
        return self._producer


def headers_of(letter: DeadLetter) -> list[tuple[str, bytes | None]]:
    """Return the record's own headers and ours; ours of an earlier dead letter are replaced, not stacked."""
    record = letter.record
    added = {
        "code": letter.code.value,
        "reason": letter.reason,
        "topic": record.topic,
        "partition": str(record.partition),
        "offset": str(record.offset),
        "time": format_time(letter.at),
    }
    kept = [(name, value) for name, value in record.headers if name not in _ADDED_NAMES]
    return kept + [(ADDED + name, value.encode()) for name, value in added.items()]
