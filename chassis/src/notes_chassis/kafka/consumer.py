"""The consuming loop's body: one batch of raw records, from the check of its offsets to the wish for their commit."""

import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.errors import CommitFailedError, GroupAuthorizationFailedError, IllegalStateError, KafkaError

from notes_chassis.health import Health
from notes_chassis.kafka.commits import Commits, Offsets
from notes_chassis.kafka.fetches import Fetches, Stretch, public_reason
from notes_chassis.kafka.metrics import ConsumerMetrics
from notes_chassis.kafka.offsets import Marks, OffsetGuard, Positions
from notes_chassis.kafka.pacing import Yielding
from notes_chassis.kafka.partitions import Group, Rebalance, Records, SetAside, by_partition, hold, seek_back
from notes_chassis.logs import kind_and_place
from notes_chassis.process import Backoff, happens, late

log = structlog.get_logger()

COMMIT_TRIES: Final = 5
LATE_S: Final = 3.0
"""Seconds after which a batch that is not done is told: a server that hangs answers nothing, also no error."""
BATCH: Final = "batch"
FETCH: Final = "fetch"
"""The causes, in the consumer's part of /readyz, that are reported here."""


def _no_consumer() -> Any:
    raise IllegalStateError("no subscription has been started")


@dataclass(slots=True)
class BatchConsumer:
    """Handed every batch by FastStream, one at a time.

    `name` is the consumer's in metrics, logs and /readyz. `process` stores what a batch comes to; whatever it raises,
    the same batch is tried again, but for PartitionsSetAside: those are read again later, the others are done.
    `expected`: the kinds of errors that a server which is away causes; any other is logged with its traceback.
    `unready` says of an error that requests would run into it as well. `paused` returns the partitions whose records
    wait. `reassigned` is called when partitions come or go. `marks`: where the store keeps them. `consumer` returns the
    live aiokafka consumer, once there is one.
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
    consumer: Callable[[], Any] = _no_consumer
    yielding: Yielding = field(default_factory=Yielding)
    _backoff: Backoff = field(default_factory=Backoff)
    guard: OffsetGuard = field(default_factory=OffsetGuard)
    rebalance: Rebalance = field(init=False)
    positions: Positions = field(init=False)
    fetches: Fetches = field(init=False)
    _barred: str | None = None
    _commits: Commits = field(init=False)
    _aside: SetAside = field(init=False)
    _commit_backoff: Backoff = field(default_factory=Backoff)
    _in_hand: bool = False

    def __post_init__(self) -> None:
        self.rebalance = Rebalance(self.guard, self.reassigned)
        self.positions = Positions(self.guard, lambda: self.name, self.metrics, self.marks)
        self.fetches = Fetches(self._fetched, lambda *where: self._aside.corrupt(self.name, self.consumer(), *where))
        self._commits = Commits(self._commit, self._settle, self.rebalance.leaving, lambda: self.rebalance.number)
        self._aside = SetAside(self.health)

    @property
    def busy(self) -> bool:
        """Return whether a batch is in hand, or one's offsets are not committed yet."""
        return not self.rebalance.idle.is_set()

    @property
    def waiting(self) -> bool:
        """Return whether the batch in hand waits for its next try, or for another consumer."""
        return self.busy and (self._backoff.attempts > 0 or self.yielding.now)

    async def handle(self, records: Records) -> None:
        """Process a batch and have its offsets committed, or leave both to a later delivery."""
        if self.rebalance.leaving.is_set():
            return  # read before a rebalance that is under way; whoever gets the partition reads it again
        self._in_hand = True
        self.rebalance.idle.clear()
        try:
            await self._handle(records)
        except Exception:  # a bug here: whatever it was, these records were not processed
            log.exception("batch not processed, reading it again", consumer=self.name)
            seek_back(self.consumer(), by_partition(records))
            await self._pause(self._backoff)
        finally:
            self._in_hand = False
            self._settle()

    async def _handle(self, records: Records) -> None:
        started, assignment = time.monotonic(), self.rebalance.number
        stretches = self.fetches.last
        unchecked, ready = self._taken(records), dict[TopicPartition, Group]()

        async def check() -> None:
            await self.positions.learn(self.consumer(), unchecked)  # of all at once: each would wait behind a fetch
            for at, group in list(unchecked.items()):  # each once: asked again, the guard would take a jump for a hole
                if await self.positions.in_place(self.consumer(), at, group[0].offset, stretches.get(at)):
                    ready[at] = group
                del unchecked[at]

        if not await self._until_done(check) or not ready:
            return
        batch: Group = [record for group in ready.values() for record in group]
        await self.yielding.wait(self.rebalance.leaving)
        self.yielding.note_load(len(batch))
        working = time.monotonic()
        if not await self._until_done(lambda: self._aside.told(self.process(batch))):
            return
        self.yielding.note_work(time.monotonic() - working)
        self.yielding.note_load(len(batch))
        if assignment != self.rebalance.number:
            return  # it outlived its partitions: those of the next assignment are read from what was committed
        for at in self._aside.tried(self.name, ready):
            self.metrics.waited(self.name, "set aside")
            hold(self.consumer(), {at: ready.pop(at)})
        stored = {at: _after(group, stretches.get(at)) for at, group in ready.items()}
        self.guard.expected |= stored
        self._commits.add(stored)
        self.metrics.of(self.metrics.batch_size, self.name).observe(len(batch))
        self.metrics.of(self.metrics.batch_seconds, self.name).observe(time.monotonic() - started)

    def _taken(self, records: Records) -> dict[TopicPartition, Group]:
        """Return the records by partition. Nothing more is fetched of paused partitions until `resume`."""
        groups, paused = by_partition(records), {*self.paused(), *self._aside.now()}
        late = {at: groups.pop(at) for at in list(groups) if at.partition in paused}
        if late:
            log.warning("partitions are paused", consumer=self.name, partitions=sorted(at.partition for at in late))
            hold(self.consumer(), late)
        return groups

    def resume(self) -> None:
        """Fetch again what is not paused any more. Called every second or so."""
        mine = {at.partition for at in self.consumer().assignment()}
        self._aside.keep(self.name, mine, self.fetches.positions())
        paused = {*self.paused(), *self._aside.now()}
        if back := [at for at in self.consumer().paused() if at.partition not in paused]:
            log.info("partitions go on", consumer=self.name, partitions=sorted(at.partition for at in back))
            self.consumer().resume(*back)

    def live(self, consumer: Callable[[], Any]) -> None:
        """Begin a life: from now on `consumer` returns the aiokafka consumer."""
        self.consumer = consumer

    def barred(self) -> str | None:
        """Return once why the group lets this consumer not in: it would go on failing after it was allowed again."""
        reason, self._barred = self._barred, None
        return reason

    def _settle(self) -> None:
        if not self._in_hand and not self._commits.under_way:
            self.rebalance.idle.set()

    def _fetched(self, error: Exception | None) -> None:
        """Note how a fetch went: one that failed drops what it had drained, and says why nothing comes."""
        if error is not None:
            self.guard.fetch_failed()
            reason = public_reason(error)
            if isinstance(error, GroupAuthorizationFailedError):
                self._barred = reason
            self.metrics.waited(self.name, type(error).__name__)
            if reason != self.health.report(self.name, ok=False, reason=reason, cause=FETCH):
                log.warning("nothing can be fetched, trying again", consumer=self.name, reason=reason)
        elif self.health.report(self.name, ok=True, cause=FETCH) is not None:
            log.info("records are fetched again", consumer=self.name)

    async def _until_done(self, step: Callable[[], Awaitable[object]]) -> bool:
        """Do `step`, however often it takes; return False if the partitions had to be given away before.

        Nothing may leave this but a cancellation: FastStream would go on with the next batch.
        """
        while True:
            try:
                with late(LATE_S, self._late):
                    await step()
            except (*self.expected, KafkaError, OSError) as error:
                if not await self._wait(error):
                    return False
            except Exception as error:
                log.exception("a bug, or a refusal nobody foresaw", consumer=self.name)
                if not await self._wait(error):
                    return False
            else:
                self._backoff.reset()
                self.health.report(self.name, ok=True, cause=BATCH)
                self.metrics.of(self.metrics.waiting, self.name).set(0)
                return True

    async def _wait(self, error: Exception) -> bool:
        """Wait before the next try, offsets untouched; return False if the partitions are being given away.

        aiokafka's heartbeat goes on by itself meanwhile, so membership lasts.
        """
        # Readiness is public, and the text of an error that is not ours may hold what a user wrote.
        kind = type(error).__name__
        reason = f"{kind}: {error}" if isinstance(error, self.expected) else kind_and_place(error)
        self._tell("batch not stored, trying again", kind, reason, unready=self.unready(error))
        return await self._pause(self._backoff)

    def _late(self) -> None:
        self._tell("batch not done, waiting on", "late", f"a batch has waited {LATE_S:g} s for an answer")

    def _tell(self, event: str, kind: str, reason: str, *, unready: bool = False) -> None:
        self.health.report(self.name, ok=False, reason=reason, cause=BATCH, unready=unready)
        self.metrics.waited(self.name, kind)
        self.metrics.of(self.metrics.waiting, self.name).set(1)
        log.warning(event, consumer=self.name, reason=reason)

    async def _pause(self, backoff: Backoff) -> bool:
        return not await happens(self.rebalance.leaving, backoff.next())

    async def _commit(self, offsets: Offsets) -> None:
        """Commit exactly these offsets. Where that fails for good their records come again, which is harmless."""
        assignment = self.rebalance.number
        for _ in range(COMMIT_TRIES):
            if assignment != self.rebalance.number:
                return
            try:
                metadata = await self.positions.mark(offsets)
                await self.consumer().commit({at: (offset, metadata) for at, offset in offsets.items()})
            except (CommitFailedError, IllegalStateError) as error:
                log.warning("offsets not committed: the partitions are gone", consumer=self.name, error=str(error))
                return
            except (*self.expected, KafkaError) as error:
                self.metrics.waited(self.name, "offsets not committed")
                log.warning("offsets not committed, trying again", consumer=self.name, error=str(error))
                if not await self._pause(self._commit_backoff):
                    return
            else:
                self._commit_backoff.reset()
                return


def _after(group: Group, stretch: Stretch | None) -> int:
    """Return the offset after a partition's records, and after the markers that the same fetch has read behind them."""
    last: int = group[-1].offset + 1
    return last if stretch is None else max(last, stretch.end)
