"""Generations, pointers and instances."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from notes_query.rebuilding.builds import ActiveBuild, Build, Instance, Move


class MemoryBuilds:
    """BuildStore."""

    def __init__(self) -> None:
        self.generations: dict[int, Build] = {}
        self.at: dict[str, ActiveBuild] = {}

    async def all(self) -> list[Build]:
        return [self.generations[number] for number in sorted(self.generations)]

    async def add(self, generation: Build) -> bool:
        return self.generations.setdefault(generation.number, generation) is generation

    async def complete(self, number: int) -> bool:
        if self.generations[number].state != "building":
            return False
        self.generations[number] = replace(self.generations[number], state="complete")
        return True

    async def drop(self, number: int) -> bool:
        if any(pointer.generation == number for pointer in self.at.values()):
            return False
        self.generations[number] = replace(self.generations[number], state="dropped")
        return True

    async def pointers(self) -> dict[str, ActiveBuild]:
        return dict(self.at)

    async def point(self, shape: str, number: int, at: datetime) -> None:
        self.at.setdefault(shape, ActiveBuild(shape, number, None, at))

    async def move(self, moves: Sequence[Move], at: datetime) -> bool:
        for move in moves:
            present, target = self.at.get(move.shape), self.generations.get(move.to)
            if present is None or present.generation != move.away_from or target is None or target.state != "complete":
                return False
        for move in moves:
            self.at[move.shape] = ActiveBuild(move.shape, move.to, move.away_from, at)
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
