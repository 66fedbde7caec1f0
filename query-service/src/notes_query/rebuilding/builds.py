"""Builds of read models, each with its own consumer group, documents and waiting events."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, NamedTuple

from notes_query.projections.read_model import ProjectorName, ReadModel

State = Literal["begun", "building", "complete", "dropped"]
Offsets = Mapping[int, int]
"""By partition: the offset after the last record that is meant."""


@dataclass(frozen=True, slots=True)
class Build:
    """One build of some read models of one projector; `versions` says in which version each of them.

    It is begun, then its collections are made and it is building. It is complete once its group has reached `target`,
    which is where the topic ended when it was begun. A dropped one stays on record, so that its number, and with it its
    consumer group, is never used again.
    """

    number: int
    projector: ProjectorName
    versions: Mapping[str, int]
    group: str
    state: State
    target: Offsets
    created_at: datetime
    served_at: datetime | None = None
    """When readers got it last; None for one that they never got."""

    def __str__(self) -> str:
        return ", ".join(f"{name} version {version}" for name, version in self.versions.items())

    def collection(self, read_model: str) -> str:
        """Return the name of the collection of one of its read models."""
        return f"{read_model}_v{self.versions[read_model]}_{self.number}"

    def is_for(self, read_models: Mapping[str, ReadModel]) -> bool:
        """Say whether code with these read models feeds it, serves it, and verifies it: it has all of its versions."""
        return self.state != "dropped" and all(
            name in read_models and read_models[name].version == version for name, version in self.versions.items()
        )


class ActiveBuild(NamedTuple):
    """Which build of a read model the readers of one edition get, and which they got before.

    `edition`: the versions of the read models that one projector of a release has, as `edition_of` says.
    """

    read_model: str
    edition: str
    build: int
    previous: int | None
    changed_at: datetime


class Move(NamedTuple):
    """A change of an active build, which holds only while it is `away_from`."""

    read_model: str
    away_from: int
    to: int


class Instance(NamedTuple):
    """A process at work: the active builds that it answers from, by `key_of`; None if it answers no readers.

    `feeds`: the builds that it feeds.
    """

    id: str
    active_builds: Mapping[str, int] | None
    feeds: Sequence[int]


class Look(NamedTuple):
    """All at one time: every build by number, the active builds of all editions, and the processes that are live."""

    builds: Sequence[Build]
    active: Sequence[ActiveBuild]
    live: Sequence[Instance]


def edition_of(read_models: Mapping[str, ReadModel], projector: ProjectorName) -> str:
    """Return what tells the releases apart that have other versions of this projector's read models, or other ones.

    Each edition has active builds of its own, so that two releases can answer readers at the same time.
    """
    return ",".join(sorted(f"{one.name}-v{one.version}" for one in read_models.values() if one.projector == projector))


def key_of(read_model: str, edition: str) -> str:
    """Return the id of an active build."""
    return f"{read_model}@{edition}"


def reached(committed: Offsets, beginnings: Offsets, target: Offsets) -> bool:
    """Say whether a group is at or past `target` on every partition; where it has nothing, it is at the beginning."""
    return all(committed.get(at, beginnings.get(at, 0)) >= offset for at, offset in target.items())


def within(target: Offsets, ends: Offsets) -> Offsets:
    """Return a target, no later than where the topic ends now: it may have lost its end, or been made anew."""
    return {at: min(offset, ends.get(at, offset)) for at, offset in target.items()}


def next_number(builds: Sequence[Build]) -> int:
    """Return the number that no build on record has had."""
    return max((build.number for build in builds), default=0) + 1


def group_of(prefix: str, versions: Mapping[str, int], number: int) -> str:
    """Return the name of a build's consumer group."""
    return "-".join([prefix, *(f"{name}-v{version}" for name, version in versions.items()), str(number)])
