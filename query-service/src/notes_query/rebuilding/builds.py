"""Generations: buildings of read shapes, each with its own consumer group, documents and waiting events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple, Protocol

from notes_query.projections.shape import LaneName

State = Literal["building", "complete", "dropped"]
Offsets = Mapping[int, int]
"""By partition: the offset after the last record that is meant."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One building of some shapes of one lane.

    It is complete once its group has reached `target`, which is where the topic ended when it was begun.
    A dropped one stays on record, so that its number, and with it its consumer group, is never used again.
    """

    number: int
    lane: LaneName
    shapes: tuple[str, ...]
    group: str
    state: State
    target: Offsets
    created_at: datetime


class Pointer(NamedTuple):
    """Which generation of a shape readers get, and which they got before."""

    shape: str
    generation: int
    previous: int | None
    changed_at: datetime


class Move(NamedTuple):
    """A change of a pointer, which holds only while it points to `away_from`."""

    shape: str
    away_from: int
    to: int


class Instance(NamedTuple):
    """A process at work: the pointers it serves by, if it answers readers, and the generations that it feeds."""

    id: str
    pointers: Mapping[str, int] | None
    feeds: Sequence[int]


class GenerationStore(Protocol):
    """Generations and pointers. Every method raises StoreUnavailable while the store is away."""

    async def all(self) -> list[Generation]:
        """Return every generation by number, dropped ones too."""
        ...

    async def add(self, generation: Generation) -> bool:
        """Keep a new one; False if its number has been taken meanwhile."""
        ...

    async def complete(self, number: int) -> bool:
        """Turn one that is building complete; False if it is not building."""
        ...

    async def drop(self, number: int) -> bool:
        """Turn one dropped unless a pointer names it as the served one; False if one does."""
        ...

    async def pointers(self) -> dict[str, Pointer]:
        """Return the pointers by shape."""
        ...

    async def point(self, shape: str, number: int, at: datetime) -> None:
        """Set the pointer of a shape that has none; one that is there stays as it is."""
        ...

    async def move(self, moves: Sequence[Move], at: datetime) -> bool:
        """Move all these pointers in one step; False, and nothing is moved, if one is not where it should be."""
        ...


class InstanceStore(Protocol):
    """The processes at work, as they report themselves."""

    async def report(self, instance: Instance) -> None:
        """Keep it, seen now."""
        ...

    async def leave(self, instance_id: str) -> None:
        """Forget one that ends."""
        ...

    async def live(self) -> list[Instance]:
        """Return those that were seen within the last LIVE_S seconds."""
        ...


class Offsetter(Protocol):
    """How far the topic of events and its groups are. Every method raises TopicUnavailable while Kafka is away."""

    async def beginnings(self) -> dict[int, int]:
        """Return the first offset of each partition."""
        ...

    async def ends(self) -> dict[int, int]:
        """Return the offset after the last record of each partition that a group can commit."""
        ...

    async def committed(self, group: str) -> dict[int, int]:
        """Return what a group has committed; a partition without is left out."""
        ...


def reached(committed: Offsets, beginnings: Offsets, target: Offsets) -> bool:
    """Say whether a group is at or past `target` on every partition; where it has nothing, it is at the beginning."""
    return all(committed.get(at, beginnings.get(at, 0)) >= offset for at, offset in target.items())


def fed(generations: Iterable[Generation]) -> list[Generation]:
    """Return those that are not dropped."""
    return [generation for generation in generations if generation.state != "dropped"]


def next_number(generations: Sequence[Generation]) -> int:
    """Return the number that no generation has had."""
    return max((generation.number for generation in generations), default=0) + 1


def group_of(prefix: str, lane: LaneName, number: int) -> str:
    """Return the name of a generation's consumer group."""
    return f"{prefix}-{lane}-{number}"
