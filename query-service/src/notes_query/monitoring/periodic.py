"""A step that is taken again and again, whatever becomes of it."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic

import structlog

from notes_query.errors import NotesQueryError

log = structlog.get_logger()


@dataclass(slots=True)
class Periodic:
    """Takes `step` again and again, at once again while it returns True. `run` ends by cancellation only.

    `pause_s`: seconds between two steps, or what returns them. Steps begin at its multiples, those of all tasks
    together: an idle process is woken less often.
    """

    name: str
    step: Callable[[], Awaitable[bool | None]]
    pause_s: float | Callable[[], float]
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
            pause_s = self.pause_s() if callable(self.pause_s) else self.pause_s
            await asyncio.sleep(0 if more else pause_s - monotonic() % pause_s)
