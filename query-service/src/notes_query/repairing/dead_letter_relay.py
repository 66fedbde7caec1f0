"""Moves dead letters from their collection to their topic, at least once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import structlog

from notes_chassis import dead_letters
from notes_chassis.dead_letters import Header, Position
from notes_chassis.health import Health
from notes_chassis.kafka.clients import REFUSALS, close, producer, see_topic, started
from notes_chassis.kafka.cluster import Cluster
from notes_contracts import format_time
from notes_query.errors import SendFailed
from notes_query.monitoring import metrics
from notes_query.projecting.stored_record import DeadLetter
from notes_query.repairing.dead_letter_store import DeadLetters

log = structlog.get_logger()

POLL_S: Final = 5.0
"""Seconds between looks at an empty collection: nobody waits for a dead letter."""
REFUSED: Final = timedelta(hours=1)
"""How long a dead letter waits that the topic refuses for what it is: somebody has to change the topic."""
_ANSWER_S: Final = 20.0


@dataclass(slots=True)
class DeadLetterRelay:
    """One a process; a claim in the store keeps several from sending the same."""

    store: DeadLetters
    topic: "DeadLetterTopic"
    clock: Callable[[], datetime]
    health: Health
    _error: str | None = None

    async def step(self) -> bool:
        """Send one, or put it aside where the topic refuses it; return whether there was one.

        Raises StoreUnavailable and SendFailed.
        """
        dead_letter = await self.store.claim(self.clock())
        if dead_letter is None:
            if self._error is not None and not await self.store.waiting(self.clock()):
                self._tell(None)  # another instance has sent what could not be
            return False
        try:
            await self.topic.send(dead_letter)
        except SendFailed as error:
            metrics.DEAD_LETTER_FAILURES.inc()
            await self._failed(dead_letter, error)
            return True
        self._tell(None)
        await self.store.sent(dead_letter, self.clock())
        metrics.DEAD_LETTERS_SENT.inc()
        log.error("dead letter", code=dead_letter.code, reason=dead_letter.reason, source=dead_letter.id, often=True)
        return True

    async def _failed(self, dead_letter: DeadLetter, error: SendFailed) -> None:
        if error.refused:
            about = {"topic": self.topic.name, "source": dead_letter.id}
            log.error("Kafka refuses a dead letter", error=str(error), often=True, **about)
            await self.store.put_off(dead_letter, self.clock() + REFUSED)
            return
        self._tell(str(error))
        await self.store.put_off(dead_letter, self.clock())
        raise error

    def _tell(self, error: str | None) -> None:
        """Name what is wrong with the topic, once, or that nothing is."""
        if error != self._error:
            name = self.topic.name
            if self._error is not None:
                metrics.DEAD_LETTERS_UNWRITABLE.remove(name, 0, self._error)
            if error is None:
                log.info("destination is written again", topic=name, partition=0)
            else:
                metrics.DEAD_LETTERS_UNWRITABLE.labels(name, 0, error).set(1)
                log.error("destination cannot be written, trying again", topic=name, partition=0, error=error)
            self._error = error
        reason = None if error is None else f"cannot be written: {self.topic.name} partition 0: {error}"
        self.health.report("dead letters", ok=error is None, reason=reason)


class DeadLetterTopic:
    """One producer, made when there is something to send, thrown away when it failed."""

    def __init__(self, cluster: Cluster, topic: str) -> None:
        self._cluster = cluster
        self.name = topic
        self._producer: Any = None

    async def send(self, dead_letter: DeadLetter) -> None:
        """Send one, and return when every replica has it. Raises SendFailed."""
        try:
            async with asyncio.timeout(2 * _ANSWER_S):
                active = await self._started()
                await see_topic(active, self.name)
                # A batch of one: `send` refuses a record without key and value, and limits the size uncompressed.
                batch = active.create_batch()
                batch.append(
                    timestamp=None,
                    key=dead_letter.record.key,
                    value=dead_letter.record.value,
                    headers=headers_of(dead_letter),
                )
                await (await active.send_batch(batch, self.name, partition=0))
        except Exception as error:
            await self.close()
            raise SendFailed(type(error).__name__, refused=isinstance(error, REFUSALS)) from error

    async def close(self) -> None:
        """Stop the producer, but do not wait for a broker that is away."""
        stopping, self._producer = self._producer, None
        await close(stopping)

    async def _started(self) -> Any:
        if self._producer is None:
            made = producer(self._cluster, _ANSWER_S, enable_idempotence=True, compression_type="gzip")
            self._producer = await started(made, _ANSWER_S)
        return self._producer


def headers_of(dead_letter: DeadLetter) -> list[Header]:
    """Return the record's own headers and ours."""
    record, code = dead_letter.record, str(dead_letter.code)
    place = Position(record.topic, record.partition, record.offset)
    return dead_letters.headers_of(record.headers, place, code, dead_letter.reason, format_time(dead_letter.at))
