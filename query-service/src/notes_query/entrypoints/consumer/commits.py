"""Offsets are committed behind the batches: a commit takes the broker as long as many a batch takes us."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog
from aiokafka import TopicPartition

log = structlog.get_logger()

Offsets = dict[TopicPartition, int]


@dataclass(slots=True)
class Commits:
    """One commit is under way at a time; what is stored meanwhile is in the next one.

    Offsets that are committed late, or never, mean records that come again, which is harmless. `commit` does one, and
    gives up by itself; `settled` is called whenever none is left.
    """

    commit: Callable[[Offsets], Awaitable[None]]
    settled: Callable[[], None]
    _next: Offsets = field(default_factory=dict)
    _task: "asyncio.Task[None] | None" = None

    @property
    def under_way(self) -> bool:
        """Return whether something is not committed yet."""
        return self._task is not None

    def add(self, offsets: Offsets) -> None:
        """Commit these soon."""
        self._next |= offsets
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="commits")

    async def _run(self) -> None:
        try:
            while self._next:
                offsets, self._next = self._next, {}
                await self.commit(offsets)
        except Exception:  # a bug; its records come again
            log.exception("offsets not committed")
        finally:
            self._next, self._task = {}, None
            self.settled()
