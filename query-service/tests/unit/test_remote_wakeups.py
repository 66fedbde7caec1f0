"""Readers are woken by what another build holds already, once that one is served."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from types import SimpleNamespace
from typing import Any

from aiokafka import TopicPartition
from query_support.waiting import waits

from notes_contracts import partition_of
from notes_contracts.topics import PARTITIONS
from notes_query.live.remote_wakeups import RemoteWakeups, owns_key
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
        wakes = RemoteWakeups(changes, lambda _, owned=owned: owned)  # type: ignore[misc]
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


def test_a_key_is_owned_where_it_is_read_wherever_it_was_written():
    """Upstreams put it by the number of partitions there are, command-service by the one that it knows."""
    key = "00000000-0000-0000-0000-000000000001"
    places = {partition_of(key.encode(), count) for count in (PARTITIONS, 15)}
    assert len(places) == 2
    for assigned, owned in ((places, True), *((places - {one}, False) for one in places), (set(range(15)), True)):
        assert owns_key(reading(assigned, 15), "events", key) is owned
    assert not owns_key(reading({1}, 0), "events", key), "a topic that was just deleted"


def reading(assigned: Collection[int], number: int) -> Any:
    """Return a consumer of some of the partitions of a topic that has so many."""
    consumer = SimpleNamespace(partitions_for_topic=lambda _: set(range(number)))
    places = frozenset(TopicPartition("events", one) for one in assigned)
    return SimpleNamespace(rebalance=SimpleNamespace(assigned=places), consumer=lambda: consumer)
