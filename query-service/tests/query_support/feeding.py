"""Feeds of builds without a store and without Kafka."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from query_support.memory_builds import MemoryBuilds

from notes_query.errors import TopicUnavailable
from notes_query.rebuilding.active_builds import ActiveBuilds
from notes_query.rebuilding.build_feeds import BuildFeeds
from notes_query.rebuilding.builds import Build


@dataclass
class Fake:
    """A Feeding that only remembers."""

    build: Build
    folds: Sequence[Any] = ()
    name: str = ""
    running: bool = False
    ending: asyncio.Event = field(default_factory=asyncio.Event)
    last_batch: asyncio.Event | None = None

    async def run(self) -> None:
        self.running = True
        try:
            await self.ending.wait()
            self.ending.clear()
        finally:
            if self.last_batch is not None:
                await self.last_batch.wait()
            self.running = False

    def rename(self, name: str) -> None:
        self.name = name


@dataclass
class Topic:
    away: bool = False

    async def beginnings(self) -> dict[int, int]:
        if self.away:
            raise TopicUnavailable("Kafka is away")
        return {0: 0}

    async def ends(self) -> dict[int, int]:
        return {0: 0}

    async def committed(self, _: str) -> dict[int, int]:
        return {}


@dataclass
class World:
    store: MemoryBuilds
    topic: Topic
    served: ActiveBuilds
    feeds: BuildFeeds
    made: dict[int, Fake] = field(default_factory=dict)

    async def look(self) -> None:
        self.feeds.looked(await self.store.look())
        await self.feeds._tend()
        self.served.follow(await self.store.served())
        self.feeds.rename()
        await asyncio.sleep(0)

    def names(self) -> dict[int, str]:
        return {number: fake.name for number, fake in self.made.items() if fake.running}
