"""See that every read model is built in the version that this code has, and served once it is complete."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from notes_query.errors import DocumentRefused, StoreUnavailable
from notes_query.projections.read_model import ProjectorName, ReadModel
from notes_query.rebuilding.build_store import BuildStore
from notes_query.rebuilding.builds import ActiveBuild, Build, Look, State, group_of, next_number, reached, within
from notes_query.rebuilding.topic_offsets import TopicOffsets

log = structlog.get_logger(__name__)

PROJECTORS: Final[tuple[ProjectorName, ...]] = ("notes", "background")
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)

Prepare = Callable[[Build], Awaitable[None]]
"""Makes the collections of a build, with their indexes. Repeats are harmless."""


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

    async def __call__(self, look: Look | None = None) -> Sequence[Build]:
        """Begin a build of the read models that have none, one for each projector; then see which have become complete.

        `look`: what was seen just now. Return every build, as they were read before the latter. Raises
        StoreUnavailable, TopicUnavailable.
        """
        known, active, _ = look or await self.builds.look()
        while wanted := self._without(known):
            await self.begin(known, wanted[0], wanted[1])
            known, active, _ = await self.builds.look()
        await self.serve_complete(self.own(known), active)
        return known

    def own(self, known: Sequence[Build]) -> list[Build]:
        """Return the builds that this code feeds; all others are for other releases."""
        return [build for build in known if build.is_for(self.read_models)]

    def _without(self, known: Sequence[Build]) -> tuple[ProjectorName, list[str]] | None:
        there = {name for build in self.own(known) for name in build.versions}
        missing = [one for one in self.read_models.values() if one.name not in there]
        for projector in PROJECTORS:
            if names := [one.name for one in missing if one.projector == projector]:
                return projector, names
        return None

    async def begin(self, known: Sequence[Build], projector: ProjectorName, names: Sequence[str]) -> Build | None:
        """Begin one of these read models; None if another instance was faster, and everything has to be looked at anew.

        A topic that has nothing to read makes it complete at once. Raises StoreUnavailable, TopicUnavailable.
        """
        number, versions = next_number(known), {name: self.read_models[name].version for name in names}
        # With a MongoDB that was emptied or restored, the builds on record are not all that there were.
        while await self.topic.committed(group_of(self.group, versions, number)):
            number += 1
        if number > next_number(known) and _numbers(await self.builds.all()) != _numbers(known):
            return None  # the group is of a build that another instance has begun since: that is on record before it
        build = Build(
            number=number,
            projector=projector,
            versions=versions,
            group=group_of(self.group, versions, number),
            state="begun",
            target=await self.topic.ends(),
            created_at=self.clock(),
        )
        if not await self.builds.add(build):
            return None
        log.info("build begun", build=number, read_models=str(build))
        if gone := {at: first for at, first in (await self.topic.beginnings()).items() if first > 0}:
            # Nobody compares it: it is served once it is complete, and the build of another release may have had more.
            log.warning("build without the events that the topic has lost", build=number, beginnings=gone)
        return await self.prepared(build)

    async def prepared(self, build: Build) -> Build:
        """Make the collections of a build that was begun: after that it is fed. Whoever comes first does so.

        An index that is made on a full collection stops its writers. Raises as `begin`.
        """
        if build.state != "begun":
            return build
        await self.prepare(build)
        state: State = "complete" if reached({}, await self.topic.beginnings(), build.target) else "building"
        await self.builds.advance(build.number, "begun", state)
        return replace(build, state=state)

    async def serve_complete(self, own: Sequence[Build], active: Sequence[ActiveBuild]) -> None:
        """Turn complete what has reached its target, and serve what has no other. Raises as the call does.

        `active`: the active builds of all editions. One build whose collections cannot be made holds up no other.
        """
        complete, failures = list[Build](), list[str]()
        for build in own:
            try:
                if await self._is_complete(await self.prepared(build)):
                    complete.append(build)
            except (StoreUnavailable, DocumentRefused) as error:
                failures.append(f"build {build.number}: {error}")
        await self._serve([name for name in self.read_models if name not in self.builds.mine(active)], complete, active)
        if failures:
            raise StoreUnavailable("; ".join(failures))

    async def _serve(self, missing: Sequence[str], complete: Sequence[Build], active: Sequence[ActiveBuild]) -> None:
        # Another edition may have chosen among builds that both feed, as after a rebuild: then its choice counts.
        chosen = {one.build: one.changed_at for one in active}
        for name in missing:
            if fit := [build.number for build in complete if name in build.versions]:
                number = max(fit, key=lambda number: (chosen.get(number, _NEVER), number))
                if await self.builds.point(name, number, self.clock()):
                    log.info("read model served", read_model=name, build=number)

    async def _is_complete(self, build: Build) -> bool:
        if build.state == "complete":
            return True
        committed = await self.topic.committed(build.group)
        beginnings = await self.topic.beginnings()
        if not reached(committed, beginnings, build.target):
            stands, self._seen[build.number] = self._seen.get(build.number) == committed, committed
            # A topic that was made anew may end before the target, which was a place in the old one.
            if not stands or not reached(committed, beginnings, within(build.target, await self.topic.ends())):
                return False
        if not await self.builds.advance(build.number, "building", "complete"):
            return False  # it was dropped while Kafka was asked, or another instance was faster: the next look tells
        log.info("build complete", build=build.number, read_models=str(build))
        return True


def _numbers(builds: Sequence[Build]) -> list[int]:
    return [build.number for build in builds]
