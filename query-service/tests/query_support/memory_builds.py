"""Generations, pointers and instances."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from notes_query.rebuilding.builds import Generation, Instance, Move, Pointer


class MemoryGenerations:
    """GenerationStore."""

    def __init__(self) -> None:
        self.generations: dict[int, Generation] = {}
        self.at: dict[str, Pointer] = {}

    async def all(self) -> list[Generation]:
        """See GenerationStore."""
        return [self.generations[number] for number in sorted(self.generations)]

    async def add(self, generation: Generation) -> bool:
        """See GenerationStore."""
        return self.generations.setdefault(generation.number, generation) is generation

    async def complete(self, number: int) -> bool:
        """See GenerationStore."""
        if self.generations[number].state != "building":
            return False
        self.generations[number] = replace(self.generations[number], state="complete")
        return True

    async def drop(self, number: int) -> bool:
        """See GenerationStore."""
        if any(pointer.generation == number for pointer in self.at.values()):
            return False
        self.generations[number] = replace(self.generations[number], state="dropped")
        return True

    async def pointers(self) -> dict[str, Pointer]:
        """See GenerationStore."""
        return dict(self.at)

    async def point(self, shape: str, number: int, at: datetime) -> None:
        """See GenerationStore."""
        self.at.setdefault(shape, Pointer(shape, number, None, at))

    async def move(self, moves: Sequence[Move], at: datetime) -> bool:
        """See GenerationStore."""
        for move in moves:
            present, target = self.at.get(move.shape), self.generations.get(move.to)
            if present is None or present.generation != move.away_from or target is None or target.state != "complete":
                return False
        for move in moves:
            self.at[move.shape] = Pointer(move.shape, move.to, move.away_from, at)
        return True


class MemoryInstances:
    """InstanceStore. Nobody is forgotten here: there is no clock."""

    def __init__(self) -> None:
        self.instances: dict[str, Instance] = {}

    async def report(self, instance: Instance) -> None:
        """See InstanceStore."""
        self.instances[instance.id] = instance

    async def leave(self, instance_id: str) -> None:
        """See InstanceStore."""
        self.instances.pop(instance_id, None)

    async def live(self) -> list[Instance]:
        """See InstanceStore."""
        return list(self.instances.values())
