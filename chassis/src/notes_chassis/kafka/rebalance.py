"""What happens when partitions come and go."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field

import structlog
from aiokafka import ConsumerRebalanceListener, TopicPartition

from notes_chassis.kafka.offsets import OffsetGuard

log = structlog.get_logger()


@dataclass(slots=True)
class Rebalance(ConsumerRebalanceListener):  # type: ignore[misc] # aiokafka has no types
    """Lets the batch in flight end before its partitions are given away, and starts the books anew afterwards.

    `leaving` is set while partitions are being given away: whoever waits for a server stops waiting. `changed` is
    called whenever `assigned` is another.
    """

    guard: OffsetGuard
    at_most_s: float
    changed: Callable[[], None] = lambda: None
    leaving: asyncio.Event = field(default_factory=asyncio.Event)
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    assigned: frozenset[TopicPartition] = frozenset()

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
        try:
            async with asyncio.timeout(self.at_most_s):
                await self.idle.wait()
        except TimeoutError:
            return False
        return True

    async def on_partitions_assigned(self, assigned: set[TopicPartition]) -> None:
        """Begin anew from the committed offsets."""
        self.guard.clear()
        self.assigned = frozenset(assigned)
        self.changed()
        self.leaving.clear()
        log.info("partitions assigned", partitions=sorted(f"{at.topic}-{at.partition}" for at in assigned))
