"""The consuming loop's body: one batch of raw records, from the check of its offsets to the wish for their commit."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from notes_chassis.backoff import Backoff
from notes_chassis.kafka.commits import Commits, Offsets
from notes_chassis.kafka.raw import Records
from notes_query.application.errors import NotesQueryError, reason_of
from notes_query.application.fold_batch import Counts
from notes_query.entrypoints import metrics
from notes_query.entrypoints.consumer.offsets import Hole, OffsetGuard, Rewind
from notes_query.entrypoints.consumer.rebalance import Rebalance
from notes_query.entrypoints.health import Health
from notes_query.projections.recorded_event import Record

log = structlog.get_logger()

COMMIT_TRIES: Final = 5
GIVE_WAY_S: Final = 4.0
"""How long one batch lets a lane go first that matters more: under a load that never ends it still comes forward."""
MANY: Final = 200
"""Records in a batch that show a lane under load: with power to spare, a batch is what came during the one before."""
PRESSED_S: Final = 0.25
"""How long such a batch counts."""
GIVE_WAY_LOOK_S: Final = 0.05

Group = list["ConsumerRecord[bytes, bytes]"]


def _no_consumer() -> Any:
    raise IllegalStateError("no subscription has been started")


@dataclass(slots=True)
class BatchConsumer:
    """Handed every batch by FastStream, one at a time.

    `lane` names it in metrics, logs and /readyz; `process` stores what a batch comes to, and raises NotesQueryError
    where the same batch may do better later; `consumer` returns the live aiokafka consumer, set by its subscription;
    `gives_way` says whether a lane that matters more has work to do.
    """

    lane: str
    process: Callable[[Sequence[Record]], Awaitable[Counts]]
    guard: OffsetGuard
    rebalance: Rebalance
    health: Health
    consumer: Callable[[], Any] = _no_consumer
    gives_way: Callable[[], bool] = lambda: False
    _giving_way: bool = False
    _pressed_until: float = float("-inf")
    _backoff: Backoff = field(default_factory=Backoff)
    _commits: Commits = field(init=False)
    _commit_backoff: Backoff = field(default_factory=Backoff)
    _in_hand: bool = False

    def __post_init__(self) -> None:
        self._commits = Commits(self._commit, self._settle, self.rebalance.leaving)

    @property
    def busy(self) -> bool:
        """Say whether a batch is in hand, or one's offsets are not committed yet."""
        return not self.rebalance.idle.is_set()

    @property
    def pressed(self) -> bool:
        """Say whether the lane is under load: what else this process does makes its records wait."""
        return time.monotonic() < self._pressed_until

    @property
    def waiting(self) -> bool:
        """Say whether the batch in hand waits for its next try, or for another lane."""
        return self.busy and (self._backoff.attempts > 0 or self._giving_way)

    async def handle(self, records: Records) -> None:
        """Process a batch and have its offsets committed, or leave both to a later delivery."""
        if self.rebalance.leaving.is_set():
            return  # read before a rebalance that is under way; whoever gets the partition reads it again
        self._in_hand = True
        self.rebalance.idle.clear()
        started = time.monotonic()
        try:
            ready = await self._until_done(lambda: self._in_place(_by_partition(records)))
            if not ready:
                return
            batch: Group = [record for group in ready.values() for record in group]
            await self._give_way()
            self._press(len(batch))
            counts = await self._until_done(lambda: self.process(batch))
            if counts is None:
                return
            self._press(len(batch))
            metrics.count(self.lane, counts)
            stored = {at: group[-1].offset + 1 for at, group in ready.items()}
            for at, offset in stored.items():
                self.guard.expect(at, offset)
            self._commits.add(stored)
            metrics.BATCH_SIZE.labels(self.lane).observe(len(batch))
            metrics.BATCH_SECONDS.labels(self.lane).observe(time.monotonic() - started)
        finally:
            self._in_hand = False
            self._settle()

    def _press(self, records: int) -> None:
        if records >= MANY:
            self._pressed_until = time.monotonic() + PRESSED_S

    def _settle(self) -> None:
        if not self._in_hand and not self._commits.under_way:
            self.rebalance.idle.set()

    async def _in_place(self, groups: dict[TopicPartition, Group]) -> dict[TopicPartition, Group]:
        """Return the partitions that may be processed; the others were sought back."""
        return {at: group for at, group in groups.items() if await self._may_go_on(at, group[0].offset)}

    async def _may_go_on(self, at: TopicPartition, first: int) -> bool:
        consumer = self.consumer()
        if not self.guard.knows(at):
            committed = await consumer.committed(at)
            if committed is None:  # a new group begins where the partition does
                committed = (await consumer.beginning_offsets([at]))[at]
            self.guard.expect(at, committed)
        verdict = self.guard.check(at, first)
        if isinstance(verdict, Rewind):
            log.warning("offsets were skipped, reading again", lane=self.lane, partition=at, offset=verdict.offset)
            metrics.REWINDS.labels(self.lane).inc()
            consumer.seek(at, verdict.offset)
            return False
        if isinstance(verdict, Hole):
            await self._explain(consumer, at, verdict)
        return True

    async def _explain(self, consumer: Any, at: TopicPartition, hole: Hole) -> None:
        beginning = (await consumer.beginning_offsets([at]))[at]
        lost = max(0, min(beginning, hole.expected + hole.missing) - hole.expected)
        metrics.HOLES.labels(self.lane).inc(hole.missing - lost)
        if lost:
            metrics.LOST.labels(self.lane).inc(lost)
            log.critical("records were lost by retention", lane=self.lane, partition=at, lost=lost)

    async def _until_done(self, step: Callable[[], Awaitable[Any]]) -> Any:
        """Return what `step` returns, however often it takes; None if the partitions had to be given away before.

        Nothing may leave this but a cancellation: FastStream would go on with the next batch.
        """
        while True:
            try:
                done = await step()
            except (NotesQueryError, KafkaError, OSError) as error:
                if not await self._wait(error):
                    return None
            except Exception as error:
                log.exception("a bug, or a refusal nobody foresaw", lane=self.lane)
                if not await self._wait(error):
                    return None
            else:
                self._backoff.reset()
                self.health.report(self.lane, ok=True)
                return done

    async def _give_way(self) -> None:
        until = time.monotonic() + GIVE_WAY_S
        self._giving_way = True
        try:
            while self.gives_way() and time.monotonic() < until and not self.rebalance.leaving.is_set():  # noqa: ASYNC110
                await asyncio.sleep(GIVE_WAY_LOOK_S)
        finally:
            self._giving_way = False

    async def _wait(self, error: Exception) -> bool:
        """Wait before the next try, offsets untouched; return False if the partitions are being given away.

        aiokafka's heartbeat goes on by itself meanwhile, so membership lasts.
        """
        reason = type(error).__name__
        self.health.report(self.lane, ok=False, reason=reason_of(error))
        metrics.WAITS.labels(self.lane, reason).inc()
        log.warning("batch not stored, trying again", lane=self.lane, reason=reason_of(error))
        return await self._pause(self._backoff)

    async def _pause(self, backoff: Backoff) -> bool:
        try:
            async with asyncio.timeout(backoff.next()):
                await self.rebalance.leaving.wait()
        except TimeoutError:
            return True
        return False

    async def _commit(self, offsets: Offsets) -> None:
        """Commit exactly these offsets. Where that fails for good their records come again, which is harmless."""
        for _ in range(COMMIT_TRIES):
            try:
                await self.consumer().commit(offsets)
            except (CommitFailedError, IllegalStateError) as error:
                log.warning("offsets not committed: the partitions are gone", lane=self.lane, error=str(error))
                return
            except KafkaError as error:
                metrics.WAITS.labels(self.lane, "offsets not committed").inc()
                log.warning("offsets not committed, trying again", lane=self.lane, error=str(error))
                if not await self._pause(self._commit_backoff):
                    return
            else:
                self._commit_backoff.reset()
                return


def _by_partition(records: Records) -> dict[TopicPartition, Group]:
    groups: dict[TopicPartition, Group] = {}
    for record in records:
        groups.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    return groups
