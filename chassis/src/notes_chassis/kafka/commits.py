"""Offsets are committed behind the batches, and not after each: one costs the broker what a batch costs us."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka import TopicPartition

from notes_chassis.process import happens

log = structlog.get_logger()

Offsets = dict[TopicPartition, int]

EVERY_S: Final = 0.5
"""Seconds between commits: that much is read again after a crash."""


@dataclass(slots=True)
class Commits:
    """One commit is under way at a time; what is stored meanwhile, and for a moment after, is in the next one.

    Offsets that are committed late, or never, mean records that come again, which is harmless. `commit` does one, and
    gives up by itself; `idle` is called whenever none is left; while `hurry` is set no moment is waited for. What was
    stored before `assignment`, a number, became another is not committed: others may be farther, or we read it again.
    """

    commit: Callable[[Offsets], Awaitable[None]]
    idle: Callable[[], None]
    hurry: asyncio.Event
    assignment: Callable[[], int] = lambda: 0
    _of: int = 0
    _next: Offsets = field(default_factory=dict)
    _last: float = float("-inf")
    _task: "asyncio.Task[None] | None" = None

    @property
    def under_way(self) -> bool:
        """Return whether something is not committed yet."""
        return self._task is not None

    def add(self, offsets: Offsets) -> None:
        """Commit these soon."""
        if self._of != self.assignment():
            self._of, self._next = self.assignment(), {}
        self._next |= offsets
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="commits")

    async def _run(self) -> None:
        try:
            while self._next:
                await self._moment()
                offsets, self._next = self._next, {}
                if self._of == self.assignment():
                    await self.commit(offsets)
                self._last = time.monotonic()
        except Exception:  # a bug; its records come again
            log.exception("offsets not committed")
        finally:
            self._next, self._task = {}, None
            self.idle()

    async def _moment(self) -> None:
        if (left := self._last + EVERY_S - time.monotonic()) > 0:
            await happens(self.hurry, left)
