"""What happens when partitions are assigned and revoked, and which partitions wait while the others go on."""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

from notes_chassis.health import Health
from notes_chassis.kafka.aiokafka_internals import Consumer, Offsets
from notes_chassis.kafka.offset_guard import OffsetGuard
from notes_chassis.process import Backoff, happens

log = structlog.get_logger()

Records = tuple["ConsumerRecord[bytes, bytes]", ...]
PartitionRecords = list["ConsumerRecord[bytes, bytes]"]
Groups = dict[TopicPartition, PartitionRecords]
"""The records of a batch by partition, in their order."""

REVOKE_S: Final = 30.0
"""Seconds that a batch in flight may hold up a rebalance: less than the group waits for its members."""
CAUSE: Final = "set aside"


def _no_consumer() -> Consumer:
    raise IllegalStateError("no subscription has been started")


@dataclass(slots=True)
class ConsumerHandle:
    """Returns the aiokafka consumer of the present life: each life of a supervised consumer has another one."""

    _current: Callable[[], Consumer] = _no_consumer

    def __call__(self) -> Consumer:
        """Return the consumer. Raises IllegalStateError while there is none."""
        return self._current()

    def begin_life(self, current: Callable[[], Consumer]) -> None:
        """From now on return what `current` returns."""
        self._current = current


@dataclass(slots=True)
class Rebalance(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Lets the batch in flight end before its partitions are revoked, and resets the offset bookkeeping afterwards.

    `leaving` is set while partitions are being revoked: whoever waits for a server stops waiting. `changed` is called
    whenever `assigned` changes. `number` counts the assignments.
    """

    guard: OffsetGuard
    changed: Callable[[], None] = lambda: None
    at_most_s: float = REVOKE_S
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    assigned: frozenset[TopicPartition] = frozenset()
    number: int = 0

    def __post_init__(self) -> None:
        self.idle.set()

    async def on_partitions_revoked(self, revoked: set[TopicPartition]) -> None:
        """Wait until the batch in flight is committed, but not so long that the group goes on without this member."""
        self.leaving.set()
        if not await self.until_idle():
            log.warning(
                "batch in flight outlived its partitions; it will be repeated elsewhere", partitions=len(revoked)
            )
        self.disown()

    def disown(self) -> None:
        """Take no more batches: the partitions are gone, or about to go."""
        self.leaving.set()
        self.assigned = frozenset()
        self.changed()

    async def until_idle(self) -> bool:
        """Wait until no batch is in hand; return False if that takes longer than `at_most_s`."""
        return await happens(self.idle, self.at_most_s)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Start from the committed offsets."""
        self.guard.clear()
        self.number += 1
        self.assigned = frozenset(assigned)
        self.changed()
        self.leaving.clear()
        log.info("partitions assigned", partitions=sorted(f"{tp.topic}-{tp.partition}" for tp in assigned))


class PartitionsSetAside(Exception):
    """Some partitions of a batch could not be stored now; everything else of it is. `reasons`: public texts."""

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__(f"partitions {sorted(reasons)} are set aside")
        self.reasons = reasons


@dataclass(slots=True)
class SetAside:
    """Which partitions wait, why, and until when. Each has a back-off of its own. `name` returns the consumer's."""

    health: Health
    name: Callable[[], str]
    consumer: ConsumerHandle
    clock: Callable[[], float] = time.monotonic
    reasons: dict[int, str] = field(default_factory=dict)
    _until: dict[int, float] = field(default_factory=dict)
    _backoffs: dict[int, Backoff] = field(default_factory=dict)
    _corrupt_from: dict[int, int] = field(default_factory=dict)
    """The offset from which a corrupt partition could not be read on."""

    def waiting(self) -> set[int]:
        """Return the partitions of which nothing should be fetched now."""
        return {number for number, until in self._until.items() if self.clock() < until}

    def update(self, partitions: Collection[TopicPartition], reasons: Mapping[int, str]) -> list[TopicPartition]:
        """Set aside those of a batch's partitions that have a reason, and return them; the others were stored."""
        waiting = [tp for tp in partitions if tp.partition in reasons]
        for tp in partitions:
            if tp.partition not in reasons:
                self._forget(tp.partition)
        for tp in waiting:
            self._wait(tp.partition, reasons[tp.partition])
        self._report()
        return waiting

    def pause_corrupt(self, tp: TopicPartition, offset: int) -> None:
        """Set aside a partition that cannot be read on from this offset."""
        self.consumer().pause(tp)
        self._wait(tp.partition, f"{tp.topic} is corrupt from offset {offset} on")
        self._corrupt_from[tp.partition] = offset
        self._report()

    def forget_stale(self, assigned: Collection[int], positions: Offsets) -> None:
        """Forget partitions that others have now, and corrupt ones that are read from another offset by now."""
        read_from = {tp.partition: position for tp, position in positions.items()}
        moved = {number for number, offset in self._corrupt_from.items() if read_from.get(number, offset) != offset}
        if stale := self.reasons.keys() - set(assigned) | moved:
            for number in stale:
                self._forget(number)
            self._report()

    def _wait(self, number: int, reason: str) -> None:
        backoff = self._backoffs.setdefault(number, Backoff())
        self._until[number] = self.clock() + backoff.next()
        self.reasons[number] = reason
        self._corrupt_from.pop(number, None)
        log.warning("partition set aside", consumer=self.name(), partition=number, reason=reason)

    def _forget(self, number: int) -> None:
        for known in (self.reasons, self._until, self._backoffs, self._corrupt_from):
            known.pop(number, None)

    def _report(self) -> None:
        reason = "; ".join(f"partition {number} waits: {why}" for number, why in sorted(self.reasons.items()))
        self.health.report(self.name(), ok=not reason, reason=reason, cause=CAUSE)


def rewind_and_pause(consumer: Consumer, groups: Groups) -> None:
    """Seek back to the first of these records, and fetch nothing more of their partitions."""
    rewind(consumer, groups)
    consumer.pause(*(groups.keys() & consumer.assignment()))


def rewind(consumer: Consumer, groups: Groups) -> None:
    """Seek back to the first of these records in each partition."""
    for tp, group in groups.items():
        try:
            consumer.seek(tp, group[0].offset)
        except IllegalStateError:
            log.info("partition is gone, whoever has it reads it again", partition=tp.partition)


def by_partition(records: Records) -> Groups:
    """Return the records by partition, in their order."""
    groups: Groups = {}
    for record in records:
        groups.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    return groups
