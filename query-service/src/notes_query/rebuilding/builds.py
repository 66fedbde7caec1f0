"""Builds: buildings of read models, each with its own consumer group, documents and waiting events."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from notes_query.projections.read_model import ProjectorName

State = Literal["building", "complete", "dropped"]
Offsets = Mapping[int, int]
"""By partition: the offset after the last record that is meant."""


@dataclass(frozen=True, slots=True)
class Build:
    """One building of some read models of one projector.

    It is complete once its group has reached `target`, which is where the topic ended when it was begun.
    A dropped one stays on record, so that its number, and with it its consumer group, is never used again.
    """

    number: int
    projector: ProjectorName
    read_models: tuple[str, ...]
    group: str
    state: State
    target: Offsets
    created_at: datetime


class ActiveBuild(NamedTuple):
    """Which build of a read model readers get, and which they got before."""

    read_model: str
    build: int
    previous: int | None
    changed_at: datetime


class Move(NamedTuple):
    """A change of an active build, which holds only while it points to `away_from`."""

    read_model: str
    away_from: int
    to: int


class Instance(NamedTuple):
    """A process at work: the active builds it serves by, if it answers readers, and the builds that it feeds."""

    id: str
    active_builds: Mapping[str, int] | None
    feeds: Sequence[int]


def reached(committed: Offsets, beginnings: Offsets, target: Offsets) -> bool:
    """Say whether a group is at or past `target` on every partition; where it has nothing, it is at the beginning."""
    return all(committed.get(at, beginnings.get(at, 0)) >= offset for at, offset in target.items())


def fed(builds: Iterable[Build]) -> list[Build]:
    """Return those that are not dropped."""
    return [build for build in builds if build.state != "dropped"]


def next_number(builds: Sequence[Build]) -> int:
    """Return the number that no build has had."""
    return max((build.number for build in builds), default=0) + 1


def group_of(prefix: str, projector: ProjectorName, number: int) -> str:
    """Return the name of a build's consumer group."""
    return f"{prefix}-{projector}-{number}"
