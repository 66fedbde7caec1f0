"""Generations: buildings of read shapes, each with its own consumer group, documents and waiting events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from notes_query.projections.shape import LaneName

State = Literal["building", "complete", "dropped"]
Offsets = Mapping[int, int]
"""By partition: the offset after the last record that is meant."""


@dataclass(frozen=True, slots=True)
class Build:
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


class ActiveBuild(NamedTuple):
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


def reached(committed: Offsets, beginnings: Offsets, target: Offsets) -> bool:
    """Say whether a group is at or past `target` on every partition; where it has nothing, it is at the beginning."""
    return all(committed.get(at, beginnings.get(at, 0)) >= offset for at, offset in target.items())


def fed(generations: Iterable[Build]) -> list[Build]:
    """Return those that are not dropped."""
    return [generation for generation in generations if generation.state != "dropped"]


def next_number(generations: Sequence[Build]) -> int:
    """Return the number that no generation has had."""
    return max((generation.number for generation in generations), default=0) + 1


def group_of(prefix: str, lane: LaneName, number: int) -> str:
    """Return the name of a generation's consumer group."""
    return f"{prefix}-{lane}-{number}"
