"""Build read models anew from the events while the old ones serve, then switch."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, NamedTuple

from notes_query.errors import Refused
from notes_query.rebuilding.begin_builds import PROJECTORS, BeginBuilds
from notes_query.rebuilding.build_store import InstanceStore
from notes_query.rebuilding.builds import ActiveBuild, Build, Move, fed
from notes_query.rebuilding.switch_build import DropBuild, SwitchBuild

LOOK_S: Final = 0.2
UNFED_S: Final = 15.0


class Built(NamedTuple):
    """How far a build is. `unfed_s`: seconds for which no projector has fed it."""

    build: Build
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
        self, read_models: Sequence[str], *, force: bool = False, restart: bool = False, timeout_s: float | None = None
    ) -> Switched:
        """Build and switch. Raises Refused, TimeoutError, StoreUnavailable, TopicUnavailable."""
        active_builds = await self._served(read_models)
        builds = [
            await self._one(wanted, active_builds, restart=restart)
            for projector in PROJECTORS
            if (
                wanted := [
                    read_model
                    for read_model in read_models
                    if self.begin.read_models[read_model].projector == projector
                ]
            )
        ]
        moves = [
            Move(read_model, active_builds[read_model].build, build.number)
            for build in builds
            for read_model in build.read_models
        ]
        async with asyncio.timeout(timeout_s):
            await self._until_caught_up(builds, moves)
            return await self._switch(builds, moves, force=force)

    async def back(
        self, read_models: Sequence[str], *, force: bool = False, timeout_s: float | None = None
    ) -> Switched:
        """Return to what was served before; it has been fed all along. Raises as the call does."""
        active_builds = await self._served(read_models)
        there = {build.number: build for build in fed(await self.begin.builds.all())}
        moves = []
        for read_model in read_models:
            previous = active_builds[read_model].previous
            if previous is None or previous not in there:
                raise Refused(f"{read_model}: there is no build to switch back to")
            moves.append(Move(read_model, active_builds[read_model].build, previous))
        builds = [there[number] for number in sorted({move.to for move in moves})]
        async with asyncio.timeout(timeout_s):
            await self._until_caught_up(builds, moves)
            return await self._switch(builds, moves, force=force)

    async def _switch(self, builds: Sequence[Build], moves: Sequence[Move], *, force: bool) -> Switched:
        await self.switch.check(moves, force=force)
        await self.switch.meet(builds, moves)
        await self.switch.move(moves)
        return Switched(moves, await self.switch.followed(moves))

    async def _served(self, read_models: Sequence[str]) -> Mapping[str, ActiveBuild]:
        active_builds = await self.begin.builds.active_builds()
        if building := [read_model for read_model in read_models if read_model not in active_builds]:
            raise Refused(f"{', '.join(building)}: built for the first time now, and served once complete")
        return active_builds

    async def _one(
        self, read_models: Sequence[str], active_builds: Mapping[str, ActiveBuild], *, restart: bool
    ) -> Build:
        """Return the build to build: the one that was begun before, or a new one."""
        while True:
            known = await self.begin.builds.all()
            served = {active.build for active in active_builds.values()}
            kept = {active.previous for active in active_builds.values()}
            idle = [one for one in fed(known) if one.number not in served and set(one.read_models) & set(read_models)]
            begun = [one for one in idle if one.number not in kept and set(one.read_models) == set(read_models)]
            if restart and begun:
                await self.drop(begun[0].number)
                continue
            if begun:
                return begun[-1]
            if idle:
                raise Refused(
                    f"build {idle[0].number} ({', '.join(idle[0].read_models)}) is kept to switch back to, and a third "
                    f"one would be too many. `drop {idle[0].number}` first"
                )
            if (
                build := await self.begin.begin(known, self.begin.read_models[read_models[0]].projector, read_models)
            ) is not None:
                return build

    async def _until_caught_up(self, builds: Sequence[Build], moves: Sequence[Move]) -> None:
        known = {build.number: build for build in await self.begin.builds.all()}
        watched = {build.number: _Watched(build, self.begin) for build in builds}
        while watched:
            fed_now = {number for instance in await self.instances.live() for number in instance.feeds}
            for number, watch in list(watched.items()):
                self.show(await watch.look(is_fed=number in fed_now))
                if await self.switch.caught_up(known[number], known, moves):
                    await self.begin.builds.complete(number)
                    del watched[number]
            if watched:
                await asyncio.sleep(LOOK_S)


class _Watched:
    """The progress of one build."""

    def __init__(self, build: Build, begin: BeginBuilds) -> None:
        self._build = build
        self._topic = begin.topic
        self._first: tuple[float, int] | None = None
        self._fed_at = monotonic()

    async def look(self, *, is_fed: bool) -> Built:
        now = monotonic()
        if is_fed:
            self._fed_at = now
        committed, beginnings = await self._topic.committed(self._build.group), await self._topic.beginnings()
        total = done = 0
        for at, target in self._build.target.items():
            beginning = min(beginnings.get(at, 0), target)
            total += target - beginning
            done += min(committed.get(at, beginning), target) - beginning
        if self._first is None:
            self._first = now, done
        elapsed = now - self._first[0]
        rate = (done - self._first[1]) / elapsed if elapsed > 0 else 0.0
        return Built(self._build, done, total, rate, now - self._fed_at)
