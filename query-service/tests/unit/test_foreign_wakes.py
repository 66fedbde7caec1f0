"""Readers are woken by what another build holds already, once that one is served."""

import asyncio
from collections.abc import Awaitable, Callable, Collection

from query_support.waiting import waits

from notes_query.live.foreign_wakes import ForeignWakes
from notes_query.projecting.waiters import Level


class Silent:
    """Changes of which nothing is told; the levels are those of the collection that is served."""

    def __init__(self) -> None:
        self.held: dict[str, int] = {}
        self.opened = 0

    async def follow(self, _: Callable[[str, int], None], opened: Callable[[], Awaitable[None]]) -> None:
        self.opened += 1
        await opened()
        await asyncio.Event().wait()

    async def levels(self, keys: Collection[str]) -> list[Level]:
        return [Level(key, self.held[key]) for key in keys if key in self.held]


async def test_after_a_switch_all_waiting_ids_are_read_again():
    for owned in (True, False):
        changes = Silent()
        wakes = ForeignWakes(changes, lambda _, owned=owned: owned)  # type: ignore[misc]
        running = asyncio.create_task(wakes.run())
        waiting = asyncio.create_task(waits(wakes.waiters, "a note", 2))
        await asyncio.sleep(0.05)
        assert not waiting.done()
        before, changes.held = changes.opened, {"a note": 2}
        wakes.switched()
        async with asyncio.timeout(5):
            await waiting
        assert changes.opened == before + 1
        running.cancel()
        await asyncio.wait([running])
