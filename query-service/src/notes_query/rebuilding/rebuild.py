"""Build read models anew from the events while the old ones serve, then switch."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

from notes_query.errors import Refused, StoreUnavailable
from notes_query.mongo.database import Database
from notes_query.projections.read_model import ProjectorName
from notes_query.rebuilding.begin_builds import PROJECTORS, BeginBuilds
from notes_query.rebuilding.builds import ActiveBuild, Build, Look, Move
from notes_query.rebuilding.drop_build import drop_build
from notes_query.rebuilding.switch_build import INSTANCES_S, SwitchBuild, Switched, not_dropped
from notes_query.rebuilding.topic_offsets import TopicOffsets

LOOK_S: Final = 0.2
NEARLY_S: Final = 1.0
NEARLY_LOOK_S: Final = 0.05
"""Seconds between looks at a build that is done in less than NEARLY_S: both services and Kafka have to answer each."""
UNFED_S: Final = 15.0


@dataclass(slots=True)
class Built:
    """How far a build is. `unfed_s`: seconds for which no projector has fed it."""

    build: Build
    done: int = 0
    total: int = 0
    per_second: float = 0.0
    unfed_s: float = 0.0
    _first: tuple[float, int] | None = None
    _fed_at: float = field(default_factory=monotonic)

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest takes at this rate; None while there is none."""
        return (self.total - self.done) / self.per_second if self.per_second > 0 else None

    async def look(self, topic: TopicOffsets, *, is_fed: bool) -> None:
        """Look again. Raises TopicUnavailable.

        A complete one has been at its target, which may be a place in a topic that has been made anew since.
        """
        committed, beginnings = await topic.committed(self.build.group), await topic.beginnings()
        starts = {at: min(beginnings.get(at, 0), target) for at, target in self.build.target.items()}
        self.total = sum(target - starts[at] for at, target in self.build.target.items())
        done = sum(min(committed.get(at, starts[at]), to) - starts[at] for at, to in self.build.target.items())
        self.done = self.total if self.build.state == "complete" else done
        now = monotonic()
        if is_fed:
            self._fed_at = now
        self.unfed_s = now - self._fed_at
        since, before = self._first = self._first or (now, self.done)
        self.per_second = (self.done - before) / (now - since) if now > since else 0.0


@dataclass(slots=True)
class Rebuild:
    """Projectors do the building; this begins it, watches it, and switches. Killed half way, it is simply run again."""

    begin: BeginBuilds
    switch: SwitchBuild
    database: Database
    show: Callable[[Built], None]

    async def __call__(
        self, names: Sequence[str], *, force: bool = False, restart: bool = False, timeout_s: float | None = None
    ) -> Switched:
        """Build and switch. Raises Refused, TimeoutError, StoreUnavailable, TopicUnavailable."""
        active = await self._served(names)
        by_projector: dict[ProjectorName, list[str]] = {
            projector: wanted
            for projector in PROJECTORS
            if (wanted := [name for name in names if self.begin.read_models[name].projector == projector])
        }
        look = await self.begin.builds.look()
        for wanted in by_projector.values():
            self._begun(look, wanted)  # of all before one is begun
        builds = [await self._one(projector, wanted, restart=restart) for projector, wanted in by_projector.items()]
        moves = [Move(name, active[name].build, build.number) for build in builds for name in build.versions]
        return await self._switch(moves, force=force, timeout_s=timeout_s)

    async def back(self, names: Sequence[str], *, force: bool = False, timeout_s: float | None = None) -> Switched:
        """Return to what was served before; it has been fed all along. Raises as the call does."""
        active, known = await self._served(names), await self.begin.builds.all()
        there = {build.number: build for build in self.begin.own(known)}
        moves = []
        for name in names:
            previous = active[name].previous
            if previous is None or previous not in there:
                raise Refused(f"{name}: there is no build to switch back to{self._elsewhere(name, known)}")
            moves.append(Move(name, active[name].build, previous))
        return await self._switch(moves, force=force, timeout_s=timeout_s)

    def _elsewhere(self, name: str, known: Sequence[Build]) -> str:
        """Say how to return to another version, which only the code that has it can feed and read."""
        version = self.begin.read_models[name].version
        for build in known:
            if build.state != "dropped" and build.versions.get(name, version) != version:
                return (
                    f" in version {version}. Build {build.number} holds version {build.versions[name]}: roll back to "
                    "the release that has this version, and it goes on from there"
                )
        return ""

    async def _switch(self, moves: Sequence[Move], *, force: bool, timeout_s: float | None) -> Switched:
        async with asyncio.timeout(timeout_s) as limit:
            known = await self._until_caught_up(moves)
            await self.switch.ready(moves, known, force=force)
        # No time limit cuts off the move itself, and after it nothing is an error: who is told that it is not done
        # runs it again, and moves readers back to the build that they were to leave.
        try:
            await self.switch.move(moves)
        except StoreUnavailable as error:
            return Switched((), None, f"whether the active builds are moved is not known: {error}")
        until, now = limit.when(), asyncio.get_running_loop().time()
        within_s = INSTANCES_S if until is None else min(INSTANCES_S, until - now)
        return await self.switch.followed(moves, within_s)

    async def _served(self, names: Sequence[str]) -> Mapping[str, ActiveBuild]:
        active = await self.begin.builds.active_builds()
        if building := [name for name in names if name not in active]:
            raise Refused(f"{', '.join(building)}: built for the first time now, and served once complete")
        return active

    async def _one(self, projector: ProjectorName, names: Sequence[str], *, restart: bool) -> Build:
        """Return the build to go on with: the one that was begun before, or a new one."""
        while True:
            look = await self.begin.builds.look()
            begun = self._begun(look, names)
            if restart and begun:
                await drop_build(self.begin.builds, self.database, begun[0].number)
            elif begun:
                return await self.begin.prepared(begun[-1])
            elif (build := await self.begin.begin(look.builds, projector, names)) is not None:
                return build

    def _begun(self, look: Look, names: Sequence[str]) -> list[Build]:
        """Return the builds of these read models to go on with. Raises Refused if a new one would be too many."""
        served, kept = {one.build for one in look.active}, {one.previous for one in look.active}
        own = [one for one in self.begin.own(look.builds) if one.number not in served]
        idle = [one for one in own if one.versions.keys() & set(names)]
        begun = [one for one in idle if one.number not in kept and one.versions.keys() == set(names)]
        if begun or not idle:
            return begun
        one = idle[0]
        why = "kept to switch back to" if one.number in kept else f"begun by `rebuild {' '.join(one.versions)}`"
        raise Refused(
            f"build {one.number} ({one}) is {why}, and a third one would be too many. `drop {one.number}` first"
        )

    async def _until_caught_up(self, moves: Sequence[Move]) -> Mapping[int, Build]:
        """Return the builds by number, as they are after that: each look may find one complete."""
        known = {build.number: build for build in await self.begin.builds.all()}
        watched = {move.to: Built(known[move.to]) for move in moves}
        while watched:
            builds, _, live = await self.begin.builds.look()
            known = {build.number: build for build in builds}
            not_dropped(known, moves)
            fed_now = {number for instance in live for number in instance.feeds}
            for number, built in list(watched.items()):
                built.build = known[number]
                await built.look(self.begin.topic, is_fed=number in fed_now)
                self.show(built)
                if built.done == built.total and await self.switch.caught_up(number, known, moves):
                    await self.begin.builds.advance(number, "building", "complete")
                    del watched[number]
            if watched:
                nearly = any(built.left_s is not None and 0 < built.left_s < NEARLY_S for built in watched.values())
                await asyncio.sleep(NEARLY_LOOK_S if nearly else LOOK_S)
        return {build.number: build for build in await self.begin.builds.all()}
