"""Sends dead letters to their topic."""

import asyncio
from typing import Any, Final

from notes_chassis.kafka.producing import REFUSALS, producer, see_topic, started, stop
from notes_contracts import format_time
from notes_query.errors import SendFailed
from notes_query.projecting.ports import DeadLetter

ADDED: Final = "dead-letter-"
_ADDED_NAMES: Final = frozenset(ADDED + name for name in ("code", "reason", "topic", "partition", "offset", "time"))
_ANSWER_S: Final = 20.0


class DeadLetterTopic:
    """One producer, made when there is something to send, thrown away when it failed."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._bootstrap = bootstrap
        self.name = topic
        self._producer: Any = None

    async def send(self, letter: DeadLetter) -> None:
        """Send one, and return when every replica has it. Raises SendFailed."""
        try:
            async with asyncio.timeout(2 * _ANSWER_S):
                active = await self._started()
                await see_topic(active, self.name)
                # A batch of one: `send` refuses a record without key and value, and limits the size uncompressed.
                batch = active.create_batch()
                batch.append(
                    timestamp=None, key=letter.record.key, value=letter.record.value, headers=headers_of(letter)
                )
                await (await active.send_batch(batch, self.name, partition=0))
        except Exception as error:
            await self.close()
            raise SendFailed(type(error).__name__, refused=isinstance(error, REFUSALS)) from error

    async def close(self) -> None:
        """Stop the producer, but do not wait for a broker that is away."""
        stopping, self._producer = self._producer, None
        if stopping is not None:
            await stop(stopping)

    async def _started(self) -> Any:
        if self._producer is None:
            made = producer(self._bootstrap, _ANSWER_S, enable_idempotence=True, compression_type="gzip")
            self._producer = await started(made, _ANSWER_S)
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
