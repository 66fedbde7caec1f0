"""See that every read model is built, and served once it is complete."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

import structlog

from notes_query.projections.read_model import ProjectorName, ReadModel
from notes_query.rebuilding.build_store import BuildStore
from notes_query.rebuilding.builds import Build, fed, group_of, next_number, reached
from notes_query.rebuilding.topic_offsets import TopicOffsets

log = structlog.get_logger(__name__)

PROJECTORS: Final[tuple[ProjectorName, ...]] = ("notes", "background")

Prepare = Callable[[Iterable[ReadModel], int], Awaitable[None]]
"""Makes the collections of these read models in a build, with their indexes. Repeats are harmless."""


@dataclass(frozen=True, slots=True)
class BeginBuilds:
    """Begins builds. Any number of instances may do so at once: a number can be taken only once."""

    builds: BuildStore
    topic: TopicOffsets
    read_models: Mapping[str, ReadModel]
    prepare: Prepare
    group: str
    clock: Callable[[], datetime]
    _seen: dict[int, Mapping[int, int]] = field(default_factory=dict)

    async def __call__(self) -> None:
        """Begin a build of the read models that have none, one for each projector; then see which have become complete.

        Raises StoreUnavailable, TopicUnavailable.
        """
        while wanted := self._without(known := await self.builds.all()):
            await self.begin(known, wanted[0], wanted[1])
        await self.settle(fed(known))

    def _without(self, known: Sequence[Build]) -> tuple[ProjectorName, list[str]] | None:
        there = {read_model for build in fed(known) for read_model in build.read_models}
        for projector in PROJECTORS:
            missing = [
                read_model.name
                for read_model in self.read_models.values()
                if read_model.projector == projector and read_model.name not in there
            ]
            if missing:
                return projector, missing
        return None

    async def begin(self, known: Sequence[Build], projector: ProjectorName, read_models: Sequence[str]) -> Build | None:
        """Begin one of these read models; None if another instance was faster, and everything has to be looked at anew.

        A topic that has nothing to read makes it complete at once. Raises StoreUnavailable, TopicUnavailable.
        """
        number = next_number(known)
        target, beginnings = await self.topic.ends(), await self.topic.beginnings()
        nothing = reached({}, beginnings, target)
        build = Build(
            number=number,
            projector=projector,
            read_models=tuple(read_models),
            group=group_of(self.group, projector, number),
            state="complete" if nothing else "building",
            target=target,
            created_at=self.clock(),
        )
        # Before anybody can write: an index made on a full collection stops its writers.
        await self.prepare([self.read_models[read_model] for read_model in read_models], number)
        if not await self.builds.add(build):
            return None
        log.info("build begun", build=number, projector=projector, read_models=list(read_models), state=build.state)
        return build

    async def settle(self, known: Sequence[Build]) -> None:
        """Turn complete what has reached its target, and serve what has no other. Raises as the call does."""
        active_builds = await self.builds.active_builds()
        for build in known:
            if build.state == "building" and not await self._completed(build):
                continue
            for read_model in build.read_models:
                if read_model not in active_builds:
                    await self.builds.point(read_model, build.number, self.clock())
                    log.info("read model served", read_model=read_model, build=build.number)

    async def _completed(self, build: Build) -> bool:
        committed = await self.topic.committed(build.group)
        beginnings = await self.topic.beginnings()
        if not reached(committed, beginnings, build.target):
            stands, self._seen[build.number] = self._seen.get(build.number) == committed, committed
            # A topic that was made anew may end before the target, which was a place in the old one.
            if not stands or not reached(committed, beginnings, _within(build.target, await self.topic.ends())):
                return False
        if await self.builds.complete(build.number):
            log.info("build complete", build=build.number, read_models=list(build.read_models))
        return True


def _within(target: Mapping[int, int], ends: Mapping[int, int]) -> dict[int, int]:
    return {at: min(offset, ends.get(at, offset)) for at, offset in target.items()}
