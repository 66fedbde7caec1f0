"""Moves dead letters from their collection to their topic, at least once."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from notes_chassis.backoff import Backoff
from notes_query.application.errors import NotesQueryError
from notes_query.application.ports import DeadLetterSender, DeadLetterStore
from notes_query.entrypoints import metrics

log = structlog.get_logger()

POLL_S: Final = 2.0
"""Seconds between looks at an empty collection: nobody waits for a dead letter."""


@dataclass(slots=True)
class DeadLetterRelay:
    """One a process; a claim in the store keeps several from sending the same. `run` ends by cancellation only."""

    store: DeadLetterStore
    topic: DeadLetterSender
    clock: Callable[[], datetime]
    _backoff: Backoff = field(default_factory=Backoff)

    async def run(self) -> None:
        """Send what there is, look again."""
        while True:
            try:
                more = await self.step()
            except NotesQueryError as error:
                metrics.DEAD_LETTER_FAILURES.inc()
                delay = self._backoff.next()
                log.warning("dead letter not sent, trying again", error=str(error), delay_s=round(delay, 2))
                await asyncio.sleep(delay)
                continue
            self._backoff.reset()
            if not more:
                await asyncio.sleep(POLL_S)

    async def step(self) -> bool:
        """Send one; return whether there was one. Raises StoreUnavailable and SendFailed."""
        letter = await self.store.claim(self.clock())
        if letter is None:
            return False
        await self.topic.send(letter)
        await self.store.sent(letter, self.clock())
        metrics.DEAD_LETTERS_SENT.inc()
        log.error("dead letter", code=letter.code, reason=letter.reason, source=letter.id)
        return True
