"""Builds, active builds and instances."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from notes_query.projections import READ_MODELS
from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.builds import ActiveBuild, Build, Instance, Look, Move, State, edition_of, key_of

FIRST = {name: replace(one, version=1) for name, one in READ_MODELS.items()}
"""The read models of a first release."""


class MemoryBuilds:
    """BuildStore. `of` gives another edition's view of the same.

    No clock: what readers had once they had last, and nobody who is silent is gone.
    """

    def __init__(self, read_models: Mapping[str, ReadModel]) -> None:
        self.builds: dict[int, Build] = {}
        self.at: dict[str, ActiveBuild] = {}
        self.answered: dict[str, set[int]] = {}
        self.instances: dict[str, Instance] = {}
        self._editions = {name: edition_of(read_models, one.projector) for name, one in read_models.items()}

    def of(self, read_models: Mapping[str, ReadModel]) -> "MemoryBuilds":
        other = MemoryBuilds(read_models)
        other.builds, other.at, other.answered = self.builds, self.at, self.answered
        return other

    def key(self, read_model: str) -> str:
        return key_of(read_model, self._editions[read_model])

    async def all(self) -> list[Build]:
        return [self.builds[number] for number in sorted(self.builds)]

    async def add(self, build: Build) -> bool:
        return self.builds.setdefault(build.number, build) is build

    async def advance(self, number: int, state: State, to: State) -> bool:
        if self.builds[number].state != state:
            return False
        self.builds[number] = replace(self.builds[number], state=to)
        return True

    async def drop(self, number: int) -> bool:
        if any(active.build == number for active in (await self.active_builds()).values()):
            return False
        for key in [key for key, active in self.at.items() if active.build == number]:
            del self.at[key]
        self.builds[number] = replace(self.builds[number], state="dropped")
        return True

    async def active_builds(self) -> dict[str, ActiveBuild]:
        return {name: self.at[self.key(name)] for name in self._editions if self.key(name) in self.at}

    async def look(self) -> Look:
        return Look(await self.all(), list(self.at.values()), list(self.instances.values()))

    def mine(self, active: Iterable[ActiveBuild]) -> dict[str, ActiveBuild]:
        return {one.read_model: one for one in active if self._editions.get(one.read_model) == one.edition}

    async def served(self) -> dict[str, Build]:
        return {name: self.builds[active.build] for name, active in (await self.active_builds()).items()}

    async def point(self, read_model: str, number: int, at: datetime) -> bool:
        key, one = self.key(read_model), self.builds.get(number)
        if key in self.at or one is None or one.state != "complete":
            return False
        self.at[key] = ActiveBuild(read_model, self._editions[read_model], number, None, at)
        self.builds[number] = replace(one, served_at=at)
        return True

    async def move(self, moves: Sequence[Move], at: datetime) -> bool:
        for move in moves:
            present, target = self.at.get(self.key(move.read_model)), self.builds.get(move.to)
            if present is None or present.build != move.away_from or target is None or target.state != "complete":
                return False
        for move in moves:
            edition = self._editions[move.read_model]
            self.at[self.key(move.read_model)] = ActiveBuild(move.read_model, edition, move.to, move.away_from, at)
            self.builds[move.to] = replace(self.builds[move.to], served_at=at)
        return True

    async def answered_from(self) -> dict[str, set[int]]:
        return {name: set(numbers) for name, numbers in self.answered.items()}

    async def answer_from(self, builds: Mapping[str, int]) -> None:
        for name, number in builds.items():
            self.answered.setdefault(name, set()).add(number)

    async def report(self, instance: Instance) -> None:
        self.instances[instance.id] = instance

    async def leave(self, instance_id: str) -> None:
        self.instances.pop(instance_id, None)


class MemoryTopic:
    """TopicOffsets with what the test says."""

    def __init__(self) -> None:
        self.at_beginning, self.at_end = {0: 0, 1: 0}, {0: 0, 1: 0}
        self.groups: dict[str, dict[int, int]] = {}

    async def beginnings(self) -> dict[int, int]:
        return self.at_beginning

    async def ends(self) -> dict[int, int]:
        return self.at_end

    async def committed(self, group: str) -> dict[int, int]:
        return self.groups.get(group, {})


class Prepared:
    """Remembers the builds whose collections it was asked to make."""

    def __init__(self) -> None:
        self.numbers: list[int] = []

    async def __call__(self, build: Build) -> None:
        self.numbers.append(build.number)
