"""What this instance serves: the active builds as they were read last, and whoever reads them again and again."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Final

import structlog

from notes_query.errors import Building, NotesQueryError
from notes_query.projecting.serving import collection_of
from notes_query.rebuilding.build_store import BuildStore, InstanceStore
from notes_query.rebuilding.builds import ActiveBuild, Instance

log = structlog.get_logger()

BEFORE_S: Final = 10.0
"""Seconds after a switch in which the documents before it are looked at, too: they go on being fed."""
LOOK_S: Final = 0.5


@dataclass(slots=True)
class ActiveBuilds:
    """Serving, by active builds that change while it is at work. `changed` are called after each change."""

    changed: list[Callable[[], None]] = field(default_factory=list)
    _collections: dict[str, str] = field(default_factory=dict)
    _builds: dict[str, int] = field(default_factory=dict)
    _before: dict[str, tuple[str, float]] = field(default_factory=dict)

    def collection(self, read_model: str) -> str:
        """Return the name of the collection that readers get. Raises Building while there is none."""
        found = self._collections.get(read_model)
        if found is None:
            raise Building(read_model)
        return found

    def before(self, read_model: str) -> str | None:
        """Return the collection that was served before, for some seconds after a switch; None otherwise."""
        collection, until = self._before.get(read_model, ("", 0.0))
        return collection if monotonic() < until else None

    def serves(self, read_model: str, build: int) -> bool:
        """Say whether readers get this build of the read model."""
        return self._builds.get(read_model) == build

    @property
    def builds(self) -> Mapping[str, int]:
        """The build that is served, by read model."""
        return self._builds

    def follow(self, active_builds: Mapping[str, ActiveBuild]) -> None:
        """Serve by these active builds from now on."""
        builds = {read_model: active.build for read_model, active in active_builds.items()}
        if builds == self._builds:
            return
        until = monotonic() + BEFORE_S
        self._before = {
            read_model: (self._collections[read_model], until)
            for read_model, number in builds.items()
            if self._builds.get(read_model, number) != number
        }
        # Replaced, not changed: whoever looks at it meanwhile sees the old ones or the new ones.
        self._builds = builds
        self._collections = {read_model: collection_of(read_model, number) for read_model, number in builds.items()}
        for tell in self.changed:
            tell()


@dataclass(frozen=True, slots=True)
class ActiveBuildWatch:
    """One a process. With MongoDB away what was served last is served on. `run` ends by cancellation only.

    `answers`: this process has readers. `feeds` returns the builds that it feeds.
    """

    instance: str
    builds: BuildStore
    instances: InstanceStore
    served: ActiveBuilds
    feeds: Callable[[], Sequence[int]]
    answers: bool

    async def run(self) -> None:
        """Look, again and again. Sign off at the end only: after an error it goes on serving what it served."""
        try:
            while True:
                try:
                    await self.step()
                except NotesQueryError as error:
                    log.warning("the active builds were not read, trying again", error=str(error))
                await asyncio.sleep(LOOK_S)
        except asyncio.CancelledError:
            await self._leave()
            raise

    async def step(self) -> None:
        """Read the active builds, serve by them, say so. Raises StoreUnavailable."""
        self.served.follow(await self.builds.active_builds())
        active_builds = dict(self.served.builds) if self.answers else None
        await self.instances.report(Instance(self.instance, active_builds, self.feeds()))

    async def _leave(self) -> None:
        try:
            await self.instances.leave(self.instance)
        except NotesQueryError as error:
            log.info("not signed off; the others will see it by the silence", error=str(error))
