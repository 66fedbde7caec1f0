"""Give up a generation: its group is read no more, its documents are deleted."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from time import monotonic
from typing import Final

from notes_query.errors import Refused
from notes_query.rebuilding.builds import Generation, GenerationStore, InstanceStore

LOOK_S: Final = 0.1
STOPPED_S: Final = 60.0
"""A projector lets the batch in flight end before it stops feeding."""


@dataclass(frozen=True, slots=True)
class DropGeneration:
    """`remove` deletes the collections of a generation; what is gone already is no error."""

    generations: GenerationStore
    instances: InstanceStore
    remove: Callable[[Generation], Awaitable[None]]

    async def __call__(self, number: int) -> None:
        """Drop it; one that was dropped before has what is left of it removed.

        Raises Refused for one that is served or that there never was; StoreUnavailable.
        """
        known = {generation.number: generation for generation in await self.generations.all()}
        if number not in known:
            raise Refused(f"there is no generation {number}")
        if not await self.generations.drop(number):
            raise Refused(f"generation {number} is served")
        until = monotonic() + STOPPED_S
        # Whoever feeds it would make the collections again.
        while feeding := [instance.id for instance in await self.instances.live() if number in instance.feeds]:
            if monotonic() > until:
                raise Refused(f"still fed by {', '.join(feeding)}; its documents are kept. Drop it again later")
            await asyncio.sleep(LOOK_S)
        await self.remove(known[number])
