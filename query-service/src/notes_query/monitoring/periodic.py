"""A step that is taken again and again, whatever becomes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import structlog

from notes_query.errors import NotesQueryError

log = structlog.get_logger()


@dataclass(slots=True)
class Periodic:
    """Takes `step` every `every_s` seconds, at once again while it returns True. `run` ends by cancellation only."""

    name: str
    step: Callable[[], Awaitable[bool | None]]
    every_s: float
    _failure: str | None = None

    async def run(self) -> None:
        """Take steps; say it once if one after the other fails because a server is away."""
        while True:
            more, failure = False, None
            try:
                more = bool(await self.step())
            except NotesQueryError as error:
                failure = str(error)
                if failure != self._failure:
                    log.warning("not done, trying again", task=self.name, error=failure)
            self._failure = failure
            await asyncio.sleep(0 if more else self.every_s)
