"""What this instance serves: the active builds as they were read last; who reads them anew; may readers come?"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import structlog

from notes_query.errors import Building, NotesQueryError
from notes_query.monitoring import metrics
from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.build_store import BuildStore
from notes_query.rebuilding.builds import Build, Instance, Look, reached, within
from notes_query.rebuilding.topic_offsets import TopicOffsets

log = structlog.get_logger()

BEFORE_S: Final = 10.0
"""Seconds after a switch in which the documents before it are looked at, too: they go on being fed."""
SAY_AGAIN_S: Final = 3.5
"""With the fourth look after a report."""
LOOK_S: Final = 1.0
SOON_S: Final = 0.2
"""Seconds between looks while something is built, and for SOON_FOR_S after: whoever rebuilds waits for who follows."""
SOON_FOR_S: Final = 30.0
NOT_READY_LOOK_S: Final = 0.5
NOTE_AGAIN_S: Final = 5.0
"""How often an instance notes what it answers from: whoever comes after it has to be as far."""


@dataclass(slots=True)
class ActiveBuilds:
    """Serving, by active builds that change while it is at work."""

    _builds: dict[str, Build] = field(default_factory=dict)
    _before: dict[str, tuple[str, float]] = field(default_factory=dict)
    _elsewhere: dict[str, list[str]] = field(default_factory=dict)

    def collection(self, read_model: str) -> str:
        """Return the name of the collection that readers get. Raises Building while there is none."""
        return self.build(read_model).collection(read_model)

    def build(self, read_model: str) -> Build:
        """Return the build that readers get. Raises Building while there is none."""
        found = self._builds.get(read_model)
        if found is None:
            raise Building(read_model)
        return found

    def group(self, read_model: str) -> str | None:
        """Return the consumer group that feeds what readers get, None while there is nothing."""
        found = self._builds.get(read_model)
        return None if found is None else found.group

    def before(self, read_model: str) -> str | None:
        """Return the collection that was served before, for some seconds after a switch; None otherwise."""
        collection, until = self._before.get(read_model, ("", 0.0))
        return collection if monotonic() < until else None

    def elsewhere(self, read_model: str) -> Sequence[str]:
        """Return the collections that instances of other releases answer from now."""
        return self._elsewhere.get(read_model, ())

    def serves(self, read_model: str, build: int) -> bool:
        """Say whether readers get this build of the read model."""
        found = self._builds.get(read_model)
        return found is not None and found.number == build

    def awaits_switch(self, build: Build) -> bool:
        """Say whether it is to be as far as an older build that readers get, and was not left for it again."""
        older = any(build.number > self._builds[name].number for name in build.versions if name in self._builds)
        return older and build.state == "complete" and build.served_at is None

    @property
    def builds(self) -> Mapping[str, Build]:
        """The build that is served, by read model."""
        return self._builds

    def follow(self, builds: Mapping[str, Build], elsewhere: Mapping[str, list[str]] | None = None) -> bool:
        """Serve these from now on; say whether others were served. `elsewhere` as above."""
        self._elsewhere = dict(elsewhere or {})
        now, served = _numbers(builds), _numbers(self._builds)
        if now != served:
            until = monotonic() + BEFORE_S
            self._before = self._before | {
                name: (self._builds[name].collection(name), until)
                for name in now.keys() & served.keys()
                if now[name] != served[name]
            }
        # Replaced, not changed: whoever looks at it meanwhile sees the old ones or the new ones.
        self._builds = dict(builds)
        return now != served


def _numbers(builds: Mapping[str, Build]) -> dict[str, int]:
    return {name: build.number for name, build in builds.items()}


@dataclass(slots=True)
class ActiveBuildWatch:
    """One a process. With MongoDB away what was served last is served on.

    `answers`: this process has readers. `feeds` returns the builds that it feeds. `changed` are called after each
    change of what is served, `looked` after each look.
    """

    instance: str
    builds: BuildStore
    served: ActiveBuilds
    feeds: Callable[[], Sequence[int]]
    answers: bool
    changed: Sequence[Callable[[], None]] = ()
    looked: Callable[[Look], None] = lambda _: None
    _said: Instance | None = None
    _said_at: float = float("-inf")
    _built_at: float = float("-inf")

    def pause_s(self) -> float:
        """Return the seconds until the next look."""
        return SOON_S if monotonic() - self._built_at < SOON_FOR_S else LOOK_S

    async def step(self) -> None:
        """Read the active builds, serve by them, say so. Raises StoreUnavailable."""
        look = await self.builds.look()
        self.looked(look)
        active, known = self.builds.mine(look.active), {build.number: build for build in look.builds}
        others = [one for one in look.live if one.id != self.instance]
        builds = {name: known[one.build] for name, one in active.items()}
        if self.served.follow(builds, self._elsewhere(builds, known, others)):
            for tell in self.changed:
                tell()
        fed = {*self.feeds(), *(number for one in others for number in one.feeds)}
        metrics.BUILDS_UNFED.set(sum(one.state != "dropped" and one.number not in fed for one in known.values()))
        if any(one.state == "building" and one.number in fed for one in look.builds):
            self._built_at = monotonic()
        answers = {self.builds.key(name): build.number for name, build in builds.items()} if self.answers else None
        await self._report(Instance(self.instance, answers, self.feeds()))

    async def _report(self, instance: Instance) -> None:
        """Say what has changed, and every so often that this instance is there."""
        if instance != self._said or monotonic() - self._said_at >= SAY_AGAIN_S:
            await self.builds.report(instance)
            self._said, self._said_at = instance, monotonic()

    def _elsewhere(
        self, builds: Mapping[str, Build], known: Mapping[int, Build], others: Iterable[Instance]
    ) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for key, number in {item for one in others for item in (one.active_builds or {}).items()}:
            name = key.partition("@")[0]
            if name in builds and key != self.builds.key(name) and builds[name].number != number and number in known:
                found.setdefault(name, []).append(known[number].collection(name))
        return found

    async def leave(self) -> None:
        """Sign off at the end; never raises."""
        try:
            await self.builds.leave(self.instance)
        except NotesQueryError as error:
            log.info("not signed off; the others will see it by the silence", error=str(error))


@dataclass(slots=True)
class Readiness:
    """Has every read model its active build, as far as every build that readers had last?

    Another release may have served until now, and nobody has fed this one's builds meanwhile. Once this instance was as
    far, it stays so.
    """

    read_models: Mapping[str, ReadModel]
    builds: BuildStore
    topic: TopicOffsets
    served: ActiveBuilds
    _as_far: set[str] = field(default_factory=set)

    def incomplete(self) -> list[str]:
        """Return the read models that are not complete yet in this release's version."""
        missing = sorted(self.read_models.keys() - self.served.builds.keys())
        return [f"{name} version {self.read_models[name].version} is not complete yet" for name in missing]

    def missing(self) -> list[str]:
        """Return why readers should not come here yet; nothing if they may."""
        behind = sorted(self.served.builds.keys() - self._as_far)
        return self.incomplete() + [f"{name} is not as far yet as what readers had before" for name in behind]

    def pause_s(self) -> float:
        """Return the seconds until the next step."""
        return NOT_READY_LOOK_S if self.missing() else NOTE_AGAIN_S

    async def step(self) -> None:
        """See how far the read models are, and note which builds readers have. Raises as its stores do."""
        served = dict(self.served.builds)
        if waiting := served.keys() - self._as_far:
            answered = await self.builds.answered_from()
            known = {build.number: build for build in await self.builds.all()}
            for name in waiting:
                others = [known[number] for number in answered.get(name, set()) - {served[name].number}]
                if await self._is_as_far(served[name], others):
                    self._as_far.add(name)
        await self.builds.answer_from({name: build.number for name, build in served.items() if name in self._as_far})

    async def _is_as_far(self, build: Build, others: Sequence[Build]) -> bool:
        for other in others:
            # The other one first: what is asked of this one is what readers have had already.
            wanted = await self.topic.committed(other.group)
            committed, beginnings = await self.topic.committed(build.group), await self.topic.beginnings()
            # Where a partition has lost its end, the other one may have been farther than anybody can come now.
            if not reached(committed, beginnings, wanted) and not reached(
                committed, beginnings, within(wanted, await self.topic.ends())
            ):
                return False
        return True
