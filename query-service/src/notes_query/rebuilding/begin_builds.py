"""See that every read shape is built, and served once it is complete."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from notes_query.projections.shape import LaneName, Shape
from notes_query.rebuilding.build_store import BuildStore
from notes_query.rebuilding.builds import Build, fed, group_of, next_number, reached
from notes_query.rebuilding.topic_offsets import TopicOffsets

log = structlog.get_logger(__name__)

LANES: Final[tuple[LaneName, ...]] = ("core", "side")

Prepare = Callable[[Iterable[Shape], int], Awaitable[None]]
"""Makes the collections of these shapes in a generation, with their indexes. Repeats are harmless."""


@dataclass(frozen=True, slots=True)
class BeginBuilds:
    """Begins generations. Any number of instances may do so at once: a number can be taken only once."""

    generations: BuildStore
    topic: TopicOffsets
    shapes: Mapping[str, Shape]
    prepare: Prepare
    group: str
    clock: Callable[[], datetime]
    _seen: dict[int, Mapping[int, int]] = field(default_factory=dict)

    async def __call__(self) -> None:
        """Begin a generation of the shapes that have none, one for each lane; then see which have become complete.

        Raises StoreUnavailable, TopicUnavailable.
        """
        while wanted := self._without(known := await self.generations.all()):
            await self.begin(known, wanted[0], wanted[1])
        await self.settle(fed(known))

    def _without(self, known: Sequence[Build]) -> tuple[LaneName, list[str]] | None:
        there = {shape for generation in fed(known) for shape in generation.shapes}
        for lane in LANES:
            missing = [shape.name for shape in self.shapes.values() if shape.lane == lane and shape.name not in there]
            if missing:
                return lane, missing
        return None

    async def begin(self, known: Sequence[Build], lane: LaneName, shapes: Sequence[str]) -> Build | None:
        """Begin one of these shapes; None if another instance was faster, and everything has to be looked at anew.

        A topic that has nothing to read makes it complete at once. Raises StoreUnavailable, TopicUnavailable.
        """
        number = next_number(known)
        target, beginnings = await self.topic.ends(), await self.topic.beginnings()
        nothing = reached({}, beginnings, target)
        generation = Build(
            number=number,
            lane=lane,
            shapes=tuple(shapes),
            group=group_of(self.group, lane, number),
            state="complete" if nothing else "building",
            target=target,
            created_at=self.clock(),
        )
        # Before anybody can write: an index made on a full collection stops its writers.
        await self.prepare([self.shapes[shape] for shape in shapes], number)
        if not await self.generations.add(generation):
            return None
        log.info("generation begun", generation=number, lane=lane, shapes=list(shapes), state=generation.state)
        return generation

    async def settle(self, known: Sequence[Build]) -> None:
        """Turn complete what has reached its target, and serve what has no other. Raises as the call does."""
        pointers = await self.generations.pointers()
        for generation in known:
            if generation.state == "building" and not await self._completed(generation):
                continue
            for shape in generation.shapes:
                if shape not in pointers:
                    await self.generations.point(shape, generation.number, self.clock())
                    log.info("shape served", shape=shape, generation=generation.number)

    async def _completed(self, generation: Build) -> bool:
        committed = await self.topic.committed(generation.group)
        beginnings = await self.topic.beginnings()
        if not reached(committed, beginnings, generation.target):
            stands, self._seen[generation.number] = self._seen.get(generation.number) == committed, committed
            # A topic that was made anew may end before the target, which was a place in the old one.
            if not stands or not reached(committed, beginnings, _within(generation.target, await self.topic.ends())):
                return False
        if await self.generations.complete(generation.number):
            log.info("generation complete", generation=generation.number, shapes=list(generation.shapes))
        return True


def _within(target: Mapping[int, int], ends: Mapping[int, int]) -> dict[int, int]:
    return {at: min(offset, ends.get(at, offset)) for at, offset in target.items()}
