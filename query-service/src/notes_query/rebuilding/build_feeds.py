"""Feeds every build: one consumer group each, from the day it is begun to the day it is dropped."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import structlog

from notes_chassis.health import Health
from notes_chassis.process import Step
from notes_query.errors import NotesQueryError
from notes_query.projecting.fold_read_model import FoldReadModel
from notes_query.rebuilding.active_builds import ActiveBuilds
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.builds import Build, Look

log = structlog.get_logger()

PART: Final = "builds"
UNSEEN_S: Final = 5.0
"""Seconds without a look after which readiness says so."""
BUILDING_S: Final = 1.0
"""Seconds after which the next look counts while a build is not complete: Kafka is asked how far it is, each time."""


class Feeding(Protocol):
    """One build that is fed by this process."""

    build: Build
    """Which one, as it was looked at last."""

    @property
    def folds(self) -> Sequence[FoldReadModel]:
        """Its folded read models."""

    async def run(self) -> None:
        """Consume until cancelled."""

    def rename(self, name: str) -> None:
        """Be called so, in metrics, logs and /readyz."""

    def has_work(self) -> bool:
        """Say whether what matters less should wait for it."""


@dataclass(slots=True)
class BuildFeeds:
    """One a process, which hears of every look at the builds. `run` ends by cancellation only.

    A build of another version is left to the release that has it: who joins its group has to write all of it. `keep`
    runs a task, again whenever it fails.
    """

    begin: BeginBuilds
    served: ActiveBuilds
    feeding: Callable[[Build], Feeding]
    health: Health
    keep: Callable[[str, Step], Coroutine[Any, Any, None]]
    _fed: dict[int, tuple[Feeding, "asyncio.Task[None]"]] = field(default_factory=dict)
    _told_unfed: set[int] = field(default_factory=set)
    _last: Look | None = None
    _looked: asyncio.Event = field(default_factory=asyncio.Event)

    def looked(self, look: Look) -> None:
        """Go on with what was seen."""
        self._last = look
        self._looked.set()

    @property
    def numbers(self) -> list[int]:
        """The builds that are fed here."""
        return sorted(self._fed)

    def folds(self) -> list[FoldReadModel]:
        """Return the folded read models of what is fed here."""
        return [fold for feeding, _ in self._fed.values() for fold in feeding.folds]

    def serving(self, read_model: str) -> Feeding | None:
        """Return what feeds the served build of a read model, if that is fed here."""
        build = self.served.builds.get(read_model)
        found = None if build is None else self._fed.get(build.number)
        return None if found is None else found[0]

    async def run(self) -> None:
        """Begin, feed and stop feeding builds after each look. After an error what is fed is fed on."""
        try:
            while True:
                try:
                    async with asyncio.timeout(UNSEEN_S):
                        await self._looked.wait()
                except TimeoutError:
                    self.health.report(PART, ok=False, reason=f"MongoDB has not told of builds for {UNSEEN_S:.0f} s")
                    continue
                await self._tend()
                if any(feeding.build.state == "building" for feeding, _ in self._fed.values()):
                    await asyncio.sleep(BUILDING_S)
                self._looked.clear()  # only now: what was seen meanwhile may be older than what was read here
        except asyncio.CancelledError:
            await self._stop(list(self._fed))
            raise

    async def _tend(self) -> None:
        failure: str | None = None
        try:
            try:
                known = await self.begin(self._last)
            except NotesQueryError as error:  # one may not be begun, but what there is can be fed, or was dropped
                failure = str(error)
                known = await self.begin.builds.all()
            await self._feed(known)
        except NotesQueryError as error:
            failure = str(error)
        if failure is not None:
            log.warning("builds were not looked after, trying again", error=failure)
        self.health.report(PART, ok=failure is None, reason=failure)

    async def _feed(self, known: Sequence[Build]) -> None:
        wanted = {one.number: one for one in self.begin.own(known) if one.state != "begun"}
        self._tell_unfed(known)
        await self._stop([number for number in self._fed if number not in wanted])
        for number, build in wanted.items():
            if number in self._fed:
                self._fed[number][0].build = build
            else:
                feeding = self.feeding(build)
                self._fed[number] = feeding, asyncio.create_task(self.keep(f"build {number}", feeding.run))
                log.info("feeding", build=number, read_models=str(build))
        self.rename()

    def _tell_unfed(self, known: Sequence[Build]) -> None:
        own = {build.number for build in self.begin.own(known)}
        for build in known:
            if build.state != "dropped" and build.number not in own | self._told_unfed:
                self._told_unfed.add(build.number)
                log.info("not feeding: versions that this release does not have", build=build.number, has=str(build))

    async def _stop(self, numbers: Sequence[int]) -> None:
        tasks = [self._fed[number][1] for number in numbers]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        # Only now: until its last batch has ended a build is reported as fed, and nobody drops its collections.
        for number in numbers:
            del self._fed[number]

    def rename(self) -> None:
        """Call what serves readers by its projector's name alone, anything else by its number too."""
        taken: set[str] = set()
        first = {number: feeding for number, (feeding, _) in sorted(self._fed.items()) if self._serves(feeding)}
        for number, (feeding, _) in {**{n: self._fed[n] for n in first}, **self._fed}.items():
            projector: str = feeding.build.projector
            name = f"{projector}-{number}" if projector in taken or self._unserved(feeding) else projector
            taken.add(name)
            feeding.rename(name)

    def _serves(self, feeding: Feeding) -> bool:
        build = feeding.build
        return any(self.served.serves(name, build.number) for name in build.versions)

    def _unserved(self, feeding: Feeding) -> bool:
        """Say whether readers get all of its read models from elsewhere."""
        return not self._serves(feeding) and all(name in self.served.builds for name in feeding.build.versions)
