"""What following the changes needs: the topic of events, how far notes are, and how far the projector is."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from typing import NamedTuple, Protocol

from notes_query.projecting.ports import Level
from notes_query.projections.recorded_event import Record


class Bounds(NamedTuple):
    """By partition: the offset of the first record that is still there, and the one that the next record gets."""

    first: tuple[int, ...]
    end: tuple[int, ...]


class Read(NamedTuple):
    """Records in order, and by partition the offset to go on from: beyond the last record there can be markers."""

    records: Sequence[Record]
    next: tuple[int, ...]


class EventTail(Protocol):
    """One reader of all partitions, in no group. Every method raises TopicUnavailable while Kafka is away."""

    async def bounds(self) -> Bounds:
        """Return what the topic holds now."""
        ...

    def seek(self, starts: Sequence[int]) -> None:
        """Go on from there, by partition."""
        ...

    async def read(self, at_most: int, wait_s: float) -> Read:
        """Return what comes next, as soon as there is something, after `wait_s` seconds at the latest.

        Raises Truncated if the topic no longer holds what comes next.
        """
        ...

    async def close(self) -> None:
        """Let go of the connections; never raises, never takes long."""
        ...


class EventTopic(Protocol):
    """The topic of events."""

    @property
    def name(self) -> str:
        """The topic's name."""
        ...

    @property
    def identity(self) -> str:
        """What offsets belong to: the topic that was there when a reader began. Made anew it is another one."""
        ...

    async def tail(self) -> EventTail:
        """Return a new reader. Raises TopicUnavailable."""
        ...


Levels = Callable[[Collection[str]], Awaitable[list[Level]]]
"""Returns where the documents of these notes are, in one query. Raises StoreUnavailable."""

Passed = Callable[[], Awaitable[Mapping[int, int]]]
"""Returns, by partition, the offset below which the projector is done with every event.

Raises TopicUnavailable, StoreUnavailable.
"""
