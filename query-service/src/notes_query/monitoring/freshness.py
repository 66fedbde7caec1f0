"""How fresh the documents are that readers get, read from what the projectors tell."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from notes_chassis.kafka.lag import EPOCH, Progress
from notes_query.monitoring.lag import ProgressStore, seconds_behind


class Partitioned(Protocol):
    """The topic of events. Raises TopicUnavailable."""

    async def beginnings(self) -> dict[int, int]:
        """Return the first offset of each partition."""
        ...


@dataclass(slots=True)
class PartitionCount:
    """How many partitions the topic has, by the last look: it may have been made with another number, or get more."""

    topic: Partitioned
    count: int

    async def look(self) -> None:
        """Ask Kafka. Raises TopicUnavailable; what was known stays."""
        self.count = len(await self.topic.beginnings()) or self.count


@dataclass(slots=True)
class Freshness:
    """What one instance knows of it. `group`: the consumer group that feeds the served documents, None for nobody.

    `partitions`: how many the topic has.
    """

    store: ProgressStore
    group: Callable[[], str | None]
    partitions: Callable[[], int]
    clock: Callable[[], datetime]
    _seen: list[Progress] = field(default_factory=list)
    _seen_of: str | None = None

    async def look(self) -> None:
        """Read anew. Raises StoreUnavailable; what was known stays."""
        group = self.group()
        self._seen, self._seen_of = [] if group is None else await self.store.of(group), group

    def seconds(self) -> float | None:
        """Return for how many seconds what is written may not be readable yet, by the last look. None: not known."""
        return seconds_behind(self._seen, self.partitions(), self.clock())

    def through(self) -> datetime | None:
        """Return the time before which all that was written is readable, by the last look. None: not known.

        That other documents are served since the last look is one reason.
        """
        if len(self._seen) < self.partitions() or self._seen_of != self.group():
            return None
        oldest = min(one.through for one in self._seen)
        return None if oldest == EPOCH else oldest
