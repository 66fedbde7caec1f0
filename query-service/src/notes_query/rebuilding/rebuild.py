"""Build read shapes anew from the events while the old ones serve, then switch."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, NamedTuple

from notes_query.errors import Refused
from notes_query.rebuilding.begin_builds import LANES, BeginBuilds
from notes_query.rebuilding.build_store import InstanceStore
from notes_query.rebuilding.builds import ActiveBuild, Build, Move, fed
from notes_query.rebuilding.switch_build import DropBuild, SwitchBuild

LOOK_S: Final = 0.2
UNFED_S: Final = 15.0


class Built(NamedTuple):
    """How far a generation is. `unfed_s`: seconds for which no projector has fed it."""

    generation: Build
    done: int
    total: int
    per_second: float
    unfed_s: float

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest takes at this rate; null while there is none."""
        return (self.total - self.done) / self.per_second if self.per_second > 0 else None


class Switched(NamedTuple):
    """What was done: the moves, and the seconds until every instance had followed."""

    moves: Sequence[Move]
    followed_s: float


@dataclass(slots=True)
class Rebuild:
    """Projectors do the building; this begins it, watches it, and switches. Killed half way, it is simply run again."""

    begin: BeginBuilds
    switch: SwitchBuild
    drop: DropBuild
    instances: InstanceStore
    show: Callable[[Built], None]

    async def __call__(
        self, shapes: Sequence[str], *, force: bool = False, restart: bool = False, timeout_s: float | None = None
    ) -> Switched:
        """Build and switch. Raises Refused, TimeoutError, StoreUnavailable, TopicUnavailable."""
        pointers = await self._served(shapes)
        generations = [
            await self._one(wanted, pointers, restart=restart)
            for lane in LANES
            if (wanted := [shape for shape in shapes if self.begin.shapes[shape].lane == lane])
        ]
        moves = [
            Move(shape, pointers[shape].generation, generation.number)
            for generation in generations
            for shape in generation.shapes
        ]
        async with asyncio.timeout(timeout_s):
            await self._until_caught_up(generations, moves)
            return await self._switch(generations, moves, force=force)

    async def back(self, shapes: Sequence[str], *, force: bool = False, timeout_s: float | None = None) -> Switched:
        """Return to what was served before; it has been fed all along. Raises as the call does."""
        pointers = await self._served(shapes)
        there = {generation.number: generation for generation in fed(await self.begin.generations.all())}
        moves = []
        for shape in shapes:
            previous = pointers[shape].previous
            if previous is None or previous not in there:
                raise Refused(f"{shape}: there is no generation to switch back to")
            moves.append(Move(shape, pointers[shape].generation, previous))
        generations = [there[number] for number in sorted({move.to for move in moves})]
        async with asyncio.timeout(timeout_s):
            await self._until_caught_up(generations, moves)
            return await self._switch(generations, moves, force=force)

    async def _switch(self, generations: Sequence[Build], moves: Sequence[Move], *, force: bool) -> Switched:
        await self.switch.check(moves, force=force)
        await self.switch.meet(generations, moves)
        await self.switch.move(moves)
        return Switched(moves, await self.switch.followed(moves))

    async def _served(self, shapes: Sequence[str]) -> Mapping[str, ActiveBuild]:
        pointers = await self.begin.generations.pointers()
        if building := [shape for shape in shapes if shape not in pointers]:
            raise Refused(f"{', '.join(building)}: built for the first time now, and served once complete")
        return pointers

    async def _one(self, shapes: Sequence[str], pointers: Mapping[str, ActiveBuild], *, restart: bool) -> Build:
        """Return the generation to build: the one that was begun before, or a new one."""
        while True:
            known = await self.begin.generations.all()
            served = {pointer.generation for pointer in pointers.values()}
            kept = {pointer.previous for pointer in pointers.values()}
            idle = [one for one in fed(known) if one.number not in served and set(one.shapes) & set(shapes)]
            begun = [one for one in idle if one.number not in kept and set(one.shapes) == set(shapes)]
            if restart and begun:
                await self.drop(begun[0].number)
                continue
            if begun:
                return begun[-1]
            if idle:
                raise Refused(
                    f"generation {idle[0].number} ({', '.join(idle[0].shapes)}) is kept to switch back to, and a third "
                    f"one would be too many. `drop {idle[0].number}` first"
                )
            if (generation := await self.begin.begin(known, self.begin.shapes[shapes[0]].lane, shapes)) is not None:
                return generation

    async def _until_caught_up(self, generations: Sequence[Build], moves: Sequence[Move]) -> None:
        known = {generation.number: generation for generation in await self.begin.generations.all()}
        watched = {generation.number: _Watched(generation, self.begin) for generation in generations}
        while watched:
            fed_now = {number for instance in await self.instances.live() for number in instance.feeds}
            for number, watch in list(watched.items()):
                self.show(await watch.look(is_fed=number in fed_now))
                if await self.switch.caught_up(known[number], known, moves):
                    await self.begin.generations.complete(number)
                    del watched[number]
            if watched:
                await asyncio.sleep(LOOK_S)


class _Watched:
    """The progress of one generation."""

    def __init__(self, generation: Build, begin: BeginBuilds) -> None:
        self._generation = generation
        self._topic = begin.topic
        self._first: tuple[float, int] | None = None
        self._fed_at = monotonic()

    async def look(self, *, is_fed: bool) -> Built:
        now = monotonic()
        if is_fed:
            self._fed_at = now
        committed, beginnings = await self._topic.committed(self._generation.group), await self._topic.beginnings()
        total = done = 0
        for at, target in self._generation.target.items():
            beginning = min(beginnings.get(at, 0), target)
            total += target - beginning
            done += min(committed.get(at, beginning), target) - beginning
        if self._first is None:
            self._first = now, done
        elapsed = now - self._first[0]
        rate = (done - self._first[1]) / elapsed if elapsed > 0 else 0.0
        return Built(self._generation, done, total, rate, now - self._fed_at)
