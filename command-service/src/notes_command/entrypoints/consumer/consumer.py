"""The consuming loop's body: one batch of raw records, from the check of its offsets to the wish for their commit."""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaError

from notes_chassis.backoff import Backoff
from notes_chassis.kafka.commits import Commits, Offsets
from notes_chassis.kafka.raw import Records
from notes_command.application.incoming import Incoming
from notes_command.application.ports import StoreError
from notes_command.application.process_batch import BadDeploy
from notes_command.application.result import Result
from notes_command.entrypoints import metrics
from notes_command.entrypoints.consumer.offsets import Hole, OffsetGuard, Rewind
from notes_command.entrypoints.consumer.rebalance import Rebalance
from notes_command.entrypoints.consumer.report import report
from notes_command.entrypoints.health import Health
from notes_command.entrypoints.lag import Lag

log = structlog.get_logger()

COMMIT_TRIES: Final = 5
Groups = dict[TopicPartition, list[Any]]
"""A batch's records by partition, each in offset order."""


class Processor(Protocol):
    """Stores what a batch comes to. Raises StoreError and BadDeploy."""

    async def process(self, batch: Sequence[Incoming]) -> list[Result]:
        """Return once everything is stored."""


@dataclass(slots=True)
class CommandConsumer:
    """Handed every batch by FastStream, one at a time.

    `decode` never raises; `stored` is called after every commit; `overdue` are the partitions whose
    events cannot leave the outbox; `consumer` is aiokafka's live one, set at its start.
    """

    decode: Callable[[Any], Incoming]
    processor: Processor
    guard: OffsetGuard
    rebalance: Rebalance
    health: Health
    stored: Callable[[], None]
    overdue: Callable[[], Collection[int]]
    lag: Lag = field(default_factory=Lag)
    consumer: AIOKafkaConsumer = None
    _backoff: Backoff = field(default_factory=Backoff)
    _commits: Commits = field(init=False)
    _commit_backoff: Backoff = field(default_factory=Backoff)
    _in_hand: bool = False

    def __post_init__(self) -> None:
        self._commits = Commits(self._commit, self._settle, self.rebalance.leaving)

    @property
    def busy(self) -> bool:
        """Return whether a batch is in hand, or one's offsets are not committed yet."""
        return not self.rebalance.idle.is_set()

    @property
    def in_backoff(self) -> bool:
        """Return whether the batch in hand waits for its next try."""
        return self.busy and self._backoff.attempts > 0

    async def handle(self, records: Records) -> None:
        """Process a batch and have its offsets committed, or leave both to a later delivery."""
        if self.rebalance.leaving.is_set():
            return  # read before a rebalance that is under way; whoever gets the partition reads it again
        self._in_hand = True
        self.rebalance.idle.clear()
        groups = _by_partition(records)
        self.lag.taken(groups)
        try:
            await self._handle(groups)
        except Exception:  # whatever it was, these records were not processed
            log.exception("batch not processed, reading it again")
            self._seek_back(groups)
            await self._pause(self._backoff)
        finally:
            self.lag.put_down()
            self._in_hand = False
            self._settle()

    def _settle(self) -> None:
        if not self._in_hand and not self._commits.under_way:
            self.rebalance.idle.set()

    async def _handle(self, groups: Groups) -> None:
        started = time.monotonic()
        self._put_off(groups)
        ready = {tp: group for tp, group in groups.items() if await self._in_place(tp, group[0].offset)}
        batch = [self.decode(record) for group in ready.values() for record in group]
        if batch and await self._process(batch):
            stored = {tp: group[-1].offset + 1 for tp, group in ready.items()}
            for partition, offset in stored.items():
                self.guard.expect(partition, offset)
            self._commits.add(stored)
            self.lag.processed(ready)
            metrics.BATCH_SIZE.observe(len(batch))
            metrics.BATCH_SECONDS.observe(time.monotonic() - started)

    def _put_off(self, groups: Groups) -> None:
        """Leave the overdue partitions alone: nothing of them is fetched until `resume`, and then these come again."""
        overdue = self.overdue()
        late = {tp: groups.pop(tp) for tp in list(groups) if tp.partition in overdue}
        if late:
            log.warning("partitions wait for the outbox", partitions=sorted(tp.partition for tp in late))
            self._seek_back(late)
            self.consumer.pause(*(self.consumer.assignment() & late.keys()))

    def resume(self) -> None:
        """Fetch again what is not overdue any more. Called every second or so."""
        overdue = self.overdue()
        if back := [tp for tp in self.consumer.paused() if tp.partition not in overdue]:
            log.info("partitions go on", partitions=sorted(tp.partition for tp in back))
            self.consumer.resume(*back)

    async def _in_place(self, partition: TopicPartition, first: int) -> bool:
        """Return whether the partition's records may be processed; if not, the consumer was sought back."""
        consumer = self.consumer
        if not self.guard.knows(partition):
            committed = await consumer.committed(partition)
            if committed is None:  # a group that is new here reads from the beginning
                committed = (await consumer.beginning_offsets([partition]))[partition]
            self.guard.expect(partition, committed)
        verdict = self.guard.check(partition, first)
        if isinstance(verdict, Rewind):
            log.warning("offsets were skipped, reading again", partition=partition.partition, offset=verdict.offset)
            metrics.REWINDS.inc()
            consumer.seek(partition, verdict.offset)
            return False
        if isinstance(verdict, Hole):
            await self._explain(consumer, partition, verdict)
        return True

    async def _explain(self, consumer: AIOKafkaConsumer, partition: TopicPartition, hole: Hole) -> None:
        beginning = (await consumer.beginning_offsets([partition]))[partition]
        lost = max(0, min(beginning, hole.expected + hole.missing) - hole.expected)
        metrics.HOLES.inc(hole.missing - lost)
        if lost:
            metrics.LOST.inc(lost)
            log.critical("commands were lost by retention", partition=partition.partition, lost=lost)

    async def _process(self, batch: Sequence[Incoming]) -> bool:
        """Store the batch, however long it takes; return False if its partitions had to be given away before."""
        while True:
            try:
                results = await self.processor.process(batch)
            except (StoreError, BadDeploy) as error:
                if not await self._wait(error):
                    return False
            else:
                self.stored()
                self._backoff.reset()
                self.health.flowing()
                metrics.WAITING.set(0)
                report(results)
                return True

    async def _wait(self, error: StoreError | BadDeploy) -> bool:
        """Wait before the next try, offsets untouched. aiokafka's heartbeat goes on by itself meanwhile."""
        reason = type(error).__name__
        self.health.waiting(reason, str(error), red=isinstance(error, BadDeploy))
        metrics.WAITS.labels(reason).inc()
        metrics.WAITING.set(1)
        log.warning("batch not stored, trying again", reason=reason, error=str(error))
        return await self._pause(self._backoff)

    async def _commit(self, offsets: Offsets) -> None:
        """Commit exactly these offsets. Where that fails, their records come again, and the inbox knows them."""
        for _ in range(COMMIT_TRIES):
            try:
                await self.consumer.commit(offsets)
            except (CommitFailedError, IllegalStateError) as error:
                log.warning("offsets not committed: the partitions are gone", error=str(error))
                return
            except KafkaError as error:
                metrics.RETRIES.labels("offsets not committed").inc()
                log.warning("offsets not committed, trying again", error=str(error))
                if not await self._pause(self._commit_backoff):
                    return
            else:
                self._commit_backoff.reset()
                return

    def _seek_back(self, groups: Groups) -> None:
        for partition, group in groups.items():
            try:
                self.consumer.seek(partition, group[0].offset)
            except IllegalStateError:
                log.info("partition is gone, whoever has it reads it again", partition=partition.partition)

    async def _pause(self, backoff: Backoff) -> bool:
        """Wait before the next try; return False at once if partitions are being given away."""
        try:
            async with asyncio.timeout(backoff.next()):
                await self.rebalance.leaving.wait()
        except TimeoutError:
            return True
        return False


def _by_partition(records: Records) -> Groups:
    groups: Groups = {}
    for record in records:
        groups.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    return groups
