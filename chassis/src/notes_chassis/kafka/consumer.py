"""One batch of raw records, from the check of its offsets until they are handed on to be committed."""

import time
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import GroupAuthorizationFailedError, KafkaError

from notes_chassis.health import Health
from notes_chassis.kafka.commits import CommitSchedule, OffsetCommitter
from notes_chassis.kafka.fetches import Fetches, OffsetRange, offset_after, public_reason
from notes_chassis.kafka.metrics import ConsumerMetrics
from notes_chassis.kafka.offset_guard import OffsetGuard
from notes_chassis.kafka.offsets import Marks, Positions
from notes_chassis.kafka.pacing import Yielding
from notes_chassis.kafka.partitions import (
    ConsumerHandle,
    Groups,
    PartitionRecords,
    PartitionsSetAside,
    Rebalance,
    Records,
    SetAside,
    by_partition,
    rewind,
    rewind_and_pause,
)
from notes_chassis.logs import kind_and_place
from notes_chassis.process import Backoff, happens, late

log = structlog.get_logger()

LATE_S: Final = 3.0
"""Seconds after which a batch that is not done is reported: a server that hangs answers nothing, not even an error."""
BATCH: Final = "batch"
LATE: Final = "late"
FETCH: Final = "fetch"
"""The causes, in the consumer's part of /readyz, that are reported here."""
T = TypeVar("T")


@dataclass(slots=True)
class BatchConsumer:
    """FastStream hands it every batch, one at a time.

    `name` is the consumer's in metrics, logs and /readyz. `process` stores a batch. Whatever it raises, the same batch
    is tried again, except after PartitionsSetAside: those partitions are read again later, the others are done.
    `expected`: the kinds of errors that a server which is away causes; any other is logged with its traceback.
    `unready` returns whether requests would run into an error as well. `paused` returns the partitions whose records
    have to wait. `reassigned` is called when partitions are assigned or revoked. `marks`: the store's.
    """

    name: str
    process: Callable[[Sequence["ConsumerRecord[bytes, bytes]"]], Awaitable[object]]
    health: Health
    metrics: ConsumerMetrics
    expected: tuple[type[Exception], ...] = ()
    unready: Callable[[Exception], bool] = lambda _: False
    paused: Callable[[], Collection[int]] = tuple
    reassigned: Callable[[], None] = lambda: None
    marks: Marks | None = None
    consumer: ConsumerHandle = field(default_factory=ConsumerHandle)
    yielding: Yielding = field(default_factory=Yielding)
    guard: OffsetGuard = field(default_factory=OffsetGuard)
    rebalance: Rebalance = field(init=False)
    positions: Positions = field(init=False)
    fetches: Fetches = field(init=False)
    _set_aside: SetAside = field(init=False)
    _commits: CommitSchedule = field(init=False)
    _backoff: Backoff = field(default_factory=Backoff)
    _batch_in_hand: bool = False
    _authorization_error: str | None = None

    def __post_init__(self) -> None:
        def name() -> str:  # it may be changed later
            return self.name

        self.rebalance = Rebalance(self.guard, self.reassigned)
        self.positions = Positions(self.guard, name, self.metrics, self.marks)
        self._set_aside = SetAside(self.health, name, self.consumer)
        self.fetches = Fetches(self._note_fetch, self._set_aside.pause_corrupt)
        committer = OffsetCommitter(self.consumer, name, self.metrics, self.rebalance, self.positions, self.expected)
        self._commits = CommitSchedule(
            committer.commit, self._note_idle, self.rebalance.leaving, lambda: self.rebalance.number
        )

    @property
    def busy(self) -> bool:
        """Return whether a batch is in hand, or offsets are not committed yet."""
        return not self.rebalance.idle.is_set()

    @property
    def waiting(self) -> bool:
        """Return whether the batch in hand waits for its next try, or for another consumer."""
        return self.busy and (self._backoff.attempts > 0 or self.yielding.now)

    async def handle(self, records: Records) -> None:
        """Process a batch and have its offsets committed, or leave both to a later delivery."""
        if self.rebalance.leaving.is_set():
            return  # read before a rebalance that is under way; whoever gets the partition reads it again
        self._batch_in_hand = True
        self.rebalance.idle.clear()
        try:
            await self._handle(records)
        except Exception:  # a bug here: whatever it was, these records were not processed
            log.exception("batch not processed, reading it again", consumer=self.name)
            rewind(self.consumer(), by_partition(records))
            await self._pause()
        finally:
            self._batch_in_hand = False
            self._note_idle()

    async def _handle(self, records: Records) -> None:
        started = time.monotonic()
        assignment = self.rebalance.number
        ranges = self.fetches.last
        groups = await self._groups_in_place(self._take_unpaused(records), ranges)
        if not groups:
            return
        batch = [record for group in groups.values() for record in group]
        await self.yielding.wait(self.rebalance.leaving)
        self.yielding.note_load(len(batch))
        working = time.monotonic()
        reasons = await self._until_done(lambda: self._process(batch))
        if reasons is None:
            return
        self.yielding.note_work(time.monotonic() - working)
        self.yielding.note_load(len(batch))
        if assignment != self.rebalance.number:
            return  # the batch outlived its partitions: the next assignment reads from the committed offsets
        for tp in self._set_aside.update(groups, reasons):
            self.metrics.waited(self.name, "set aside")
            rewind_and_pause(self.consumer(), {tp: groups.pop(tp)})
        stored = {tp: offset_after(group, ranges.get(tp)) for tp, group in groups.items()}
        self.guard.expected |= stored
        self._commits.add(stored)
        self.metrics.of(self.metrics.batch_size, self.name).observe(len(batch))
        self.metrics.of(self.metrics.batch_seconds, self.name).observe(time.monotonic() - started)

    def _take_unpaused(self, records: Records) -> Groups:
        """Return the records of partitions that are not paused. The others are read again after `resume`."""
        groups = by_partition(records)
        paused = {*self.paused(), *self._set_aside.waiting()}
        late = {tp: groups.pop(tp) for tp in list(groups) if tp.partition in paused}
        if late:
            log.warning("partitions are paused", consumer=self.name, partitions=sorted(tp.partition for tp in late))
            rewind_and_pause(self.consumer(), late)
        return groups

    async def _groups_in_place(self, groups: Groups, ranges: Mapping[TopicPartition, OffsetRange]) -> Groups | None:
        """Return the groups that start where they should; None if the partitions were revoked before that was known."""
        in_place: Groups = {}

        async def check() -> Groups:
            # Offsets of all partitions are asked for together: each request would wait behind the fetch under way.
            await self.positions.learn(self.consumer(), groups)
            # A retry must not check a partition twice: the guard would take a jump for a hole.
            for tp, group in list(groups.items()):
                if await self.positions.in_place(self.consumer(), tp, group[0].offset, ranges.get(tp)):
                    in_place[tp] = group
                del groups[tp]
            return in_place

        return await self._until_done(check)

    async def _process(self, batch: PartitionRecords) -> Mapping[int, str]:
        """Process a batch; return why partitions have to wait, by their number."""
        try:
            await self.process(batch)
        except PartitionsSetAside as error:
            return error.reasons
        return {}

    def resume(self) -> None:
        """Fetch partitions again that are not paused any more. Called every second or so."""
        consumer = self.consumer()
        self._set_aside.forget_stale({tp.partition for tp in consumer.assignment()}, self.fetches.positions())
        paused = {*self.paused(), *self._set_aside.waiting()}
        if resumed := [tp for tp in consumer.paused() if tp.partition not in paused]:
            log.info("partitions go on", consumer=self.name, partitions=sorted(tp.partition for tp in resumed))
            consumer.resume(*resumed)

    def take_authorization_error(self) -> str | None:
        """Return the error and forget it. aiokafka does not recover from it, so the consumer must be recreated."""
        error, self._authorization_error = self._authorization_error, None
        return error

    def _note_idle(self) -> None:
        if not self._batch_in_hand and not self._commits.under_way:
            self.rebalance.idle.set()

    def _note_fetch(self, error: Exception | None) -> None:
        """Note how a fetch went. One that failed has dropped the records that it had drained."""
        if error is None:
            if self.health.report(self.name, ok=True, cause=FETCH):
                log.info("records are fetched again", consumer=self.name)
            return
        self.guard.fetch_failed()
        reason = public_reason(error)
        if isinstance(error, GroupAuthorizationFailedError):
            self._authorization_error = reason
        self.metrics.waited(self.name, type(error).__name__)
        if self.health.report(self.name, ok=False, reason=reason, cause=FETCH):
            log.warning("nothing can be fetched, trying again", consumer=self.name, reason=reason)

    async def _until_done(self, step: Callable[[], Awaitable[T]]) -> T | None:
        """Try `step` until it succeeds and return its result; None if the partitions were revoked before.

        Only a cancellation may leave this: after an exception FastStream would go on with the next batch.
        """
        while True:
            try:
                with late(LATE_S, self._late):
                    done = await step()
            except (*self.expected, KafkaError, OSError) as error:
                if not await self._wait(error):
                    return None
            except Exception as error:
                log.exception("a bug, or a refusal nobody foresaw", consumer=self.name)
                if not await self._wait(error):
                    return None
            else:
                self._backoff.reset()
                self.health.report(self.name, ok=True, cause=LATE)
                self.health.report(self.name, ok=True, cause=BATCH)
                self.metrics.of(self.metrics.waiting, self.name).set(0)
                return done

    async def _wait(self, error: Exception) -> bool:
        """Wait before the next try, while heartbeats go on; return False if the partitions are being revoked."""
        # Readiness is public, and the text of an error that is not ours may hold what a user wrote.
        reason = f"{type(error).__name__}: {error}" if isinstance(error, self.expected) else kind_and_place(error)
        self.health.report(self.name, ok=True, cause=LATE)
        self._tell("batch not stored, trying again", type(error).__name__, reason, BATCH, unready=self.unready(error))
        return await self._pause()

    def _late(self) -> None:
        self._tell("batch not done, waiting on", "late", f"a batch has waited {LATE_S:g} s for an answer", LATE)

    def _tell(self, event: str, kind: str, reason: str, cause: str, *, unready: bool = False) -> None:
        self.health.report(self.name, ok=False, reason=reason, cause=cause, unready=unready)
        self.metrics.waited(self.name, kind)
        self.metrics.of(self.metrics.waiting, self.name).set(1)
        log.warning(event, consumer=self.name, reason=reason)

    async def _pause(self) -> bool:
        return not await happens(self.rebalance.leaving, self._backoff.next())
