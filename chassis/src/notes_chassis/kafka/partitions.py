"""What happens when partitions come and go, and those that wait for something of their own while the others go on."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiokafka import ConsumerRebalanceListener, ConsumerRecord, TopicPartition
from aiokafka.errors import IllegalStateError

from notes_chassis.health import Health
from notes_chassis.kafka.offsets import OffsetGuard
from notes_chassis.process import Backoff, happens

log = structlog.get_logger()

Records = tuple["ConsumerRecord[bytes, bytes]", ...]
Group = list["ConsumerRecord[bytes, bytes]"]

REVOKE_S: Final = 30.0
"""How long a batch in flight may hold up a rebalance: less than the group waits for its members."""
CAUSE: Final = "set aside"


@dataclass(slots=True)
class Rebalance(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Lets the batch in flight end before its partitions are given away, and starts the books anew afterwards.

    `leaving` is set while partitions are being given away: whoever waits for a server stops waiting. `changed` is
    called whenever `assigned` is another. `number` counts the assignments.
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
        """Wait for the batch in flight through its commit, but not so long that the group goes on without us."""
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
        """Wait until nothing is in hand; return False if that takes longer than the group would wait."""
        return await happens(self.idle, self.at_most_s)

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Begin anew from the committed offsets."""
        self.guard.clear()
        self.number += 1
        self.assigned = frozenset(assigned)
        self.changed()
        self.leaving.clear()
        log.info("partitions assigned", partitions=sorted(f"{at.topic}-{at.partition}" for at in assigned))


class PartitionsSetAside(Exception):
    """Some partitions of a batch could not be stored now; everything else of it is. `reasons`: public texts."""

    def __init__(self, reasons: Mapping[int, str]) -> None:
        super().__init__(f"partitions {sorted(reasons)} are set aside")
        self.reasons = reasons


@dataclass(slots=True)
class SetAside:
    """Which partitions wait, why, and until when: each has a back-off of its own."""

    health: Health
    clock: Callable[[], float] = time.monotonic
    reasons: dict[int, str] = field(default_factory=dict)
    _latest: Mapping[int, str] = field(default_factory=dict)
    _until: dict[int, float] = field(default_factory=dict)
    _backoffs: dict[int, Backoff] = field(default_factory=dict)
    _corrupt: dict[int, int] = field(default_factory=dict)
    """The offset from which a partition could not be read on."""

    def now(self) -> set[int]:
        """Return the partitions of which nothing should be fetched."""
        return {number for number, until in self._until.items() if self.clock() < until}

    async def told(self, work: Awaitable[object]) -> None:
        """Do the work on a batch, and keep what it says of partitions that have to wait."""
        self._latest = {}
        try:
            await work
        except PartitionsSetAside as error:
            self._latest = error.reasons

    def tried(self, name: str, partitions: Iterable[TopicPartition]) -> list[TopicPartition]:
        """Return those of a batch's partitions that have to wait, and tell them under the consumer's name."""
        waiting = []
        for at in partitions:
            if (reason := self._latest.get(at.partition)) is None:
                self._forget(at.partition)
            else:
                waiting.append(at)
                self._wait(name, at.partition, reason)
        self._report(name)
        return waiting

    def corrupt(self, name: str, consumer: Any, at: TopicPartition, offset: int) -> None:
        """Have a partition wait that cannot be read on from this offset."""
        consumer.pause(at)
        self._wait(name, at.partition, f"{at.topic} is corrupt from offset {offset} on")
        self._corrupt[at.partition] = offset
        self._report(name)

    def _wait(self, name: str, number: int, reason: str) -> None:
        backoff = self._backoffs.setdefault(number, Backoff())
        self._until[number] = self.clock() + backoff.next()
        self.reasons[number] = reason
        self._corrupt.pop(number, None)
        log.warning("partition set aside", consumer=name, partition=number, reason=reason)

    def keep(self, name: str, partitions: Collection[int], positions: Mapping[TopicPartition, int]) -> None:
        """Forget what others have now, and what is read on from elsewhere: what was corrupt is mended, or gone."""
        known = {at.partition: position for at, position in positions.items()}
        moved = {number for number, offset in self._corrupt.items() if known.get(number, offset) != offset}
        if gone := self.reasons.keys() - set(partitions) | moved:
            for number in gone:
                self._forget(number)
            self._report(name)

    def _forget(self, number: int) -> None:
        for known in (self.reasons, self._until, self._backoffs, self._corrupt):
            known.pop(number, None)

    def _report(self, name: str) -> None:
        told = "; ".join(f"partition {number} waits: {why}" for number, why in sorted(self.reasons.items()))
        self.health.report(name, ok=not told, reason=told, cause=CAUSE)


def hold(consumer: Any, groups: Mapping[TopicPartition, Group]) -> None:
    """Take these records back, and fetch nothing more of their partitions."""
    seek_back(consumer, groups)
    consumer.pause(*(consumer.assignment() & groups.keys()))


def seek_back(consumer: Any, groups: Mapping[TopicPartition, Group]) -> None:
    """Read these records again."""
    for at, group in groups.items():
        try:
            consumer.seek(at, group[0].offset)
        except IllegalStateError:
            log.info("partition is gone, whoever has it reads it again", partition=at.partition)


def by_partition(records: Records) -> dict[TopicPartition, Group]:
    """Return the records by partition, each in their order."""
    groups: dict[TopicPartition, Group] = {}
    for record in records:
        groups.setdefault(TopicPartition(record.topic, record.partition), []).append(record)
    return groups
