"""Commits of offsets, behind the batches and not after each one: a commit costs the broker as much as a batch us."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from notes_chassis.kafka.aiokafka_internals import Offsets
from notes_chassis.kafka.metrics import ConsumerMetrics
from notes_chassis.kafka.offsets import Positions
from notes_chassis.kafka.partitions import ConsumerHandle, Rebalance
from notes_chassis.process import Backoff, happens

log = structlog.get_logger()

INTERVAL_S: Final = 0.5
"""Seconds between two commits. After a crash the records of that time are read again."""
COMMIT_TRIES: Final = 5


@dataclass(slots=True)
class CommitSchedule:
    """Does one commit at a time. Offsets that are stored meanwhile, and until INTERVAL_S have passed, go into the next.

    Records whose offsets are committed late, or never, come again, which is harmless. `commit` does one commit and
    gives up by itself. `on_idle` is called whenever nothing is left to commit. `hurry`: commit at once. `assignment`
    returns the number of the current assignment; offsets stored under an earlier one are dropped, because another
    member may have committed later ones.
    """

    commit: Callable[[Offsets], Awaitable[None]]
    on_idle: Callable[[], None]
    hurry: asyncio.Event
    assignment: Callable[[], int] = lambda: 0
    _stored_under: int = 0
    _stored: Offsets = field(default_factory=dict)
    _committed_at: float = float("-inf")
    _task: "asyncio.Task[None] | None" = None

    @property
    def under_way(self) -> bool:
        """Return whether something is not committed yet."""
        return self._task is not None

    def add(self, offsets: Offsets) -> None:
        """Commit these offsets soon."""
        if self._stored_under != self.assignment():
            self._stored_under = self.assignment()
            self._stored = {}
        self._stored |= offsets
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="commits")

    async def _run(self) -> None:
        try:
            while self._stored:
                await self._wait_for_interval()
                offsets = self._stored
                self._stored = {}
                if self._stored_under == self.assignment():
                    await self.commit(offsets)
                self._committed_at = time.monotonic()
        except Exception:  # a bug; the records come again
            log.exception("offsets not committed")
        finally:
            self._stored = {}
            self._task = None
            self.on_idle()

    async def _wait_for_interval(self) -> None:
        left_s = self._committed_at + INTERVAL_S - time.monotonic()
        if left_s > 0:
            await happens(self.hurry, left_s)


@dataclass(slots=True)
class OffsetCommitter:
    """Commits the offsets of one consumer, whose name `name` returns.

    `expected`: the kinds of errors that a store which is away causes.
    """

    consumer: ConsumerHandle
    name: Callable[[], str]
    metrics: ConsumerMetrics
    rebalance: Rebalance
    positions: Positions
    expected: tuple[type[Exception], ...] = ()
    _backoff: Backoff = field(default_factory=Backoff)

    async def commit(self, offsets: Offsets) -> None:
        """Commit exactly these offsets. After COMMIT_TRIES give up: the records come again, which is harmless."""
        assignment = self.rebalance.number
        for _ in range(COMMIT_TRIES):
            if assignment != self.rebalance.number:
                return
            try:
                metadata = await self.positions.mark(offsets)
                await self.consumer().commit({tp: (offset, metadata) for tp, offset in offsets.items()})
            except (CommitFailedError, IllegalStateError) as error:
                log.warning("offsets not committed: the partitions are gone", consumer=self.name(), error=str(error))
                return
            except (*self.expected, KafkaError) as error:
                self.metrics.waited(self.name(), "offsets not committed")
                log.warning("offsets not committed, trying again", consumer=self.name(), error=str(error))
                if await happens(self.rebalance.leaving, self._backoff.next()):
                    return
            else:
                self._backoff.reset()
                return
