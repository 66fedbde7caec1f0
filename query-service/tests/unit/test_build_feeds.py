"""What is fed, and what it is called."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from query_support.memory_builds import FIRST, MemoryBuilds

from notes_chassis.health import Health
from notes_chassis.process import TaskSupervisor
from notes_query.errors import StoreUnavailable, TopicUnavailable
from notes_query.rebuilding.active_builds import ActiveBuilds
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.build_feeds import PART, BuildFeeds
from notes_query.rebuilding.builds import Build, Move


@dataclass
class Fake:
    """A Feeding that only remembers."""

    build: Build
    folds: Sequence[Any] = ()
    name: str = ""
    running: bool = False
    ending: asyncio.Event = field(default_factory=asyncio.Event)

    async def run(self) -> None:
        self.running = True
        try:
            await self.ending.wait()
            self.ending.clear()
        finally:
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
        await self.feeds._look()
        self.served.follow(await self.store.served())
        self.feeds.rename()
        await asyncio.sleep(0)

    def names(self) -> dict[int, str]:
        return {number: fake.name for number, fake in self.made.items() if fake.running}


@pytest.fixture
def world(samples: Any) -> World:
    async def prepare(_: Build) -> None:
        """Nothing to prepare."""

    store, topic, served, made = MemoryBuilds(FIRST), Topic(), ActiveBuilds(), {}
    begin = BeginBuilds(store, topic, FIRST, prepare, "group", lambda: samples.start)

    def feeding(build: Build) -> Fake:
        made[build.number] = Fake(build)
        return made[build.number]

    health = Health()
    feeds = BuildFeeds(begin, served, feeding, health, TaskSupervisor(health).keep)
    return World(store, topic, served, feeds, made)


async def test_every_build_is_fed_until_it_is_dropped_and_called_by_what_it_serves(world: World, samples: Any):
    await world.look()
    assert world.names() == {1: "notes", 2: "background"}

    (notes, _) = await world.store.all()
    await world.store.add(replace(notes, number=3))
    await world.look()
    assert world.names() == {1: "notes", 2: "background", 3: "notes-3"}

    await world.store.move([Move("notes", 1, 3)], samples.start)
    await world.look()
    assert world.names() == {1: "notes-1", 2: "background", 3: "notes"}

    await world.store.drop(1)
    await world.look()
    assert world.names() == {2: "background", 3: "notes"}


@pytest.mark.parametrize("strange", [{"search": 1, "of_tomorrow": 1}, {"search": 2, "history": 1}])
async def test_versions_that_are_not_known_here_are_left_to_others(world: World, strange: Any, samples: Any):
    """Who joins a group without writing all of it would lose what it reads."""
    await world.store.add(Build(1, "background", strange, "group", "building", {0: 9}, samples.start))
    await world.look()

    assert 1 not in world.made
    assert world.feeds.numbers == [2, 3]


async def test_with_kafka_away_what_there_is_is_fed_and_the_reason_is_said(world: World, samples: Any):
    await world.store.add(Build(1, "notes", {"notes": 1}, "group", "complete", {}, samples.start))
    world.topic.away = True
    await world.look()

    assert world.names() == {1: "notes"}
    assert world.feeds.health.parts[PART].reason == "Kafka is away"

    world.topic.away = False
    await world.look()
    assert world.feeds.health.parts[PART].ok


async def test_with_the_store_away_what_is_fed_is_fed_on(world: World, monkeypatch: pytest.MonkeyPatch):
    async def away() -> list[Build]:
        raise StoreUnavailable("MongoDB is away")

    await world.look()
    monkeypatch.setattr(world.store, "all", away)
    await world.feeds._look()

    assert world.names() == {1: "notes", 2: "background"}
    assert world.feeds.health.parts[PART].reason == "MongoDB is away"


async def test_a_look_or_a_build_that_fails_stops_nothing_else(world: World, monkeypatch: pytest.MonkeyPatch):
    async def killed() -> list[Build]:
        raise KeyError("operation was interrupted")

    await world.look()
    running = world.made[2]
    world.made[1].ending.set()
    async with asyncio.timeout(5):
        while "task build 1" not in world.feeds.health.parts:
            await asyncio.sleep(0)
        while not world.made[1].running:
            await asyncio.sleep(0.01)
    monkeypatch.setattr(world.store, "all", killed)
    with pytest.raises(KeyError):
        await world.feeds.run()

    assert world.made[2] is running
    assert world.names() == {1: "notes", 2: "background"}


async def test_cancelled_it_lets_everything_end(world: World):
    running = asyncio.create_task(world.feeds.run())
    async with asyncio.timeout(5):
        while len(world.names()) < 2:
            await asyncio.sleep(0)
    running.cancel()
    await asyncio.wait([running])

    assert world.names() == {}
