"""Follows the pointers, and tells everybody that it does: a switch is done when every instance has made it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog

from notes_query.errors import NotesQueryError
from notes_query.rebuilding.active_builds import ServedPointers
from notes_query.rebuilding.builds import GenerationStore, Instance, InstanceStore

log = structlog.get_logger()

LOOK_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class PointerWatch:
    """One a process. With MongoDB away what was served last is served on. `run` ends by cancellation only.

    `answers`: this process has readers. `feeds` returns the generations that it feeds.
    """

    instance: str
    generations: GenerationStore
    instances: InstanceStore
    served: ServedPointers
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
