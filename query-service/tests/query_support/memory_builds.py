"""Builds, active builds and instances."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from notes_query.rebuilding.builds import ActiveBuild, Build, Instance, Move


class MemoryBuilds:
    """BuildStore."""

    def __init__(self) -> None:
        self.builds: dict[int, Build] = {}
        self.at: dict[str, ActiveBuild] = {}

    async def all(self) -> list[Build]:
        return [self.builds[number] for number in sorted(self.builds)]

    async def add(self, build: Build) -> bool:
        return self.builds.setdefault(build.number, build) is build

    async def complete(self, number: int) -> bool:
        if self.builds[number].state != "building":
            return False
        self.builds[number] = replace(self.builds[number], state="complete")
        return True

    async def drop(self, number: int) -> bool:
        if any(active.build == number for active in self.at.values()):
            return False
        self.builds[number] = replace(self.builds[number], state="dropped")
        return True

    async def active_builds(self) -> dict[str, ActiveBuild]:
        return dict(self.at)

    async def point(self, read_model: str, number: int, at: datetime) -> None:
        self.at.setdefault(read_model, ActiveBuild(read_model, number, None, at))

    async def move(self, moves: Sequence[Move], at: datetime) -> bool:
        for move in moves:
            present, target = self.at.get(move.read_model), self.builds.get(move.to)
            if present is None or present.build != move.away_from or target is None or target.state != "complete":
                return False
        for move in moves:
            self.at[move.read_model] = ActiveBuild(move.read_model, move.to, move.away_from, at)
        return True


class MemoryInstances:
    """InstanceStore. Nobody is forgotten here: there is no clock."""

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}

    async def report(self, instance: Instance) -> None:
        self.instances[instance.id] = instance

    async def leave(self, instance_id: str) -> None:
        self.instances.pop(instance_id, None)

    async def live(self) -> list[Instance]:
        return list(self.instances.values())
