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
    """Serving, by pointers that change while it is at work. `changed` are called after each change."""

    changed: list[Callable[[], None]] = field(default_factory=list)
    _collections: dict[str, str] = field(default_factory=dict)
    _generations: dict[str, int] = field(default_factory=dict)
    _before: dict[str, tuple[str, float]] = field(default_factory=dict)

    def collection(self, shape: str) -> str:
        """Return the name of the collection that readers get. Raises Building while there is none."""
        found = self._collections.get(shape)
        if found is None:
            raise Building(shape)
        return found

    def before(self, shape: str) -> str | None:
        """Return the collection that was served before, for some seconds after a switch; None otherwise."""
        collection, until = self._before.get(shape, ("", 0.0))
        return collection if monotonic() < until else None

    def serves(self, shape: str, generation: int) -> bool:
        """Say whether readers get this generation of the shape."""
        return self._generations.get(shape) == generation

    @property
    def generations(self) -> Mapping[str, int]:
        """The generation that is served, by shape."""
        return self._generations

    def follow(self, pointers: Mapping[str, ActiveBuild]) -> None:
        """Serve by these pointers from now on."""
        generations = {shape: pointer.generation for shape, pointer in pointers.items()}
        if generations == self._generations:
            return
        until = monotonic() + BEFORE_S
        self._before = {
            shape: (self._collections[shape], until)
            for shape, number in generations.items()
            if self._generations.get(shape, number) != number
        }
        # Replaced, not changed: whoever looks at it meanwhile sees the old ones or the new ones.
        self._generations = generations
        self._collections = {shape: collection_of(shape, number) for shape, number in generations.items()}
        for tell in self.changed:
            tell()


@dataclass(frozen=True, slots=True)
class ActiveBuildWatch:
    """One a process. With MongoDB away what was served last is served on. `run` ends by cancellation only.

    `answers`: this process has readers. `feeds` returns the generations that it feeds.
    """

    instance: str
    generations: BuildStore
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
                    log.warning("the pointers were not read, trying again", error=str(error))
                await asyncio.sleep(LOOK_S)
        except asyncio.CancelledError:
            await self._leave()
            raise

    async def step(self) -> None:
        """Read the pointers, serve by them, say so. Raises StoreUnavailable."""
        self.served.follow(await self.generations.pointers())
        pointers = dict(self.served.generations) if self.answers else None
        await self.instances.report(Instance(self.instance, pointers, self.feeds()))

    async def _leave(self) -> None:
        try:
            await self.instances.leave(self.instance)
        except NotesQueryError as error:
            log.info("not signed off; the others will see it by the silence", error=str(error))
