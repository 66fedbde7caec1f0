"""A step that is taken again and again, whatever becomes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from notes_chassis.backoff import Backoff
from notes_query.errors import NotesQueryError

log = structlog.get_logger()


@dataclass(slots=True)
class Periodic:
    """Takes `step` every `every_s` seconds, at once again while it returns True. `run` ends by cancellation only."""

    name: str
    step: Callable[[], Awaitable[bool | None]]
    every_s: float
    _backoff: Backoff = field(default_factory=Backoff)

    async def run(self) -> None:
        """Take steps; after one that failed because a server is away, wait a little longer each time."""
        while True:
            try:
                more = await self.step()
            except NotesQueryError as error:
                delay = self.every_s + self._backoff.next()
                log.debug("not done, trying again", task=self.name, error=str(error), delay_s=round(delay, 2))
                await asyncio.sleep(delay)
                continue
            self._backoff.reset()
            await asyncio.sleep(0 if more else self.every_s)
