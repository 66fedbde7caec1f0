"""What is fed, and what it is called."""

import asyncio
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
from query_support.feeding import Fake, Topic, World
from query_support.fixtures import Samples
from query_support.memory_builds import FIRST, MemoryBuilds

from notes_chassis.health import Health
from notes_chassis.process import TaskSupervisor
from notes_query.errors import StoreUnavailable
from notes_query.rebuilding import build_feeds
from notes_query.rebuilding.active_builds import ActiveBuilds
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.build_feeds import PART, BuildFeeds
from notes_query.rebuilding.builds import Build, Look, Move
from tests.harness.waiting import eventually


@pytest.fixture
def world(samples: Samples) -> World:
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


async def test_every_build_is_fed_until_it_is_dropped_and_called_by_what_it_serves(world: World, samples: Samples):
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


async def test_what_is_dropped_counts_as_fed_until_its_last_batch_has_ended(world: World, samples: Samples):
    """Whoever drops it waits for that: what is written later would make its collections again."""
    await world.look()
    await world.store.add(replace((await world.store.all())[0], number=3))
    await world.look()
    batch = world.made[3].last_batch = asyncio.Event()
    await world.store.drop(3)
    looking = asyncio.create_task(world.look())
    for _ in range(10):
        await asyncio.sleep(0)
    assert (world.made[3].running, world.feeds.numbers) == (True, [1, 2, 3])

    batch.set()
    async with asyncio.timeout(5):
        await looking
    assert (world.made[3].running, world.feeds.numbers) == (False, [1, 2])


@pytest.mark.parametrize("strange", [{"search": 1, "of_tomorrow": 1}, {"search": 2, "history": 1}])
async def test_versions_that_are_not_known_here_are_left_to_others(world: World, strange: Any, samples: Samples):
    """Who joins a group without writing all of it would lose what it reads."""
    await world.store.add(Build(1, "background", strange, "group", "building", {0: 9}, samples.start))
    await world.look()

    assert 1 not in world.made
    assert world.feeds.numbers == [2, 3]


async def test_with_kafka_away_what_there_is_is_fed_and_the_reason_is_said(world: World, samples: Samples):
    await world.store.add(Build(1, "notes", {"notes": 1}, "group", "complete", {}, samples.start))
    world.topic.away = True
    await world.look()

    assert world.names() == {1: "notes"}
    assert world.feeds.health.parts[PART].reason == "Kafka is away"

    world.topic.away = False
    await world.look()
    assert world.feeds.health.parts[PART].ok


async def test_with_the_store_away_what_is_fed_is_fed_on(world: World, monkeypatch: pytest.MonkeyPatch):
    async def away(_: Build) -> bool:
        raise StoreUnavailable("MongoDB is away")

    await world.look()
    world.store.at.clear()
    await world.store.drop(1)
    look = await world.store.look()
    monkeypatch.setattr(world.store, "add", away)
    monkeypatch.setattr(world.store, "all", partial(away, None))
    world.feeds.looked(look)
    await world.feeds._tend()

    assert world.names() == {1: "notes", 2: "background"}
    assert world.feeds.health.parts[PART].reason == "MongoDB is away"


async def test_a_build_that_cannot_be_made_ready_holds_up_no_other(
    world: World, samples: Samples, monkeypatch: pytest.MonkeyPatch
):
    """As where one of its indexes cannot be made, and nothing is fed yet: after a restart."""

    async def refused(_: Build) -> None:
        raise StoreUnavailable("CannotCreateIndex")

    for number, state in enumerate(("complete", "begun", "building", "complete"), 1):
        await world.store.add(Build(number, "notes", {"notes": 1}, "group", state, {}, samples.start))
    await world.store.add(Build(5, "background", {"search": 1, "history": 1}, "group", "building", {}, samples.start))
    world.feeds.begin = replace(world.feeds.begin, prepare=refused)
    await world.look()

    assert world.names() == {1: "notes-1", 3: "notes-3", 4: "notes", 5: "background"}
    assert world.served.builds.keys() == FIRST.keys()
    assert world.feeds.health.parts[PART].reason == "build 2: CannotCreateIndex"

    await world.store.drop(3)
    await world.look()
    assert world.names() == {1: "notes-1", 4: "notes", 5: "background"}


async def test_no_look_for_a_while_is_said_until_there_is_one(world: World, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build_feeds, "UNSEEN_S", 0.01)
    health = world.feeds.health
    feeding = asyncio.create_task(world.feeds.run())
    async with asyncio.timeout(5):
        await eventually(lambda: PART in health.parts)
        assert not health.parts[PART].ok
        monkeypatch.setattr(build_feeds, "UNSEEN_S", 60.0)
        while not health.parts[PART].ok:
            world.feeds.looked(await world.store.look())
            await asyncio.sleep(0.01)
    feeding.cancel()


async def test_what_was_seen_once_is_not_asked_for_again(world: World, monkeypatch: pytest.MonkeyPatch):
    """An idle process has one look a second, of which whoever serves and whoever feeds hear."""

    async def asked() -> Look:
        raise AssertionError

    await world.look()
    look = await world.store.look()
    monkeypatch.setattr(world.store, "look", asked)
    world.feeds.looked(look)
    await world.feeds._tend()

    assert world.names() == {1: "notes", 2: "background"}


async def test_a_look_or_a_build_that_fails_stops_nothing_else(world: World, monkeypatch: pytest.MonkeyPatch):
    def killed(*_: object) -> list[Build]:
        raise KeyError("operation was interrupted")

    await world.look()
    running = world.made[2]
    world.made[1].ending.set()
    await eventually(lambda: "task build 1" in world.feeds.health.parts)
    await eventually(lambda: world.made[1].running)
    monkeypatch.setattr(BeginBuilds, "own", killed)
    with pytest.raises(KeyError):
        await world.feeds.run()

    assert world.made[2] is running
    assert world.names() == {1: "notes", 2: "background"}


async def test_cancelled_it_lets_everything_end(world: World):
    running = asyncio.create_task(world.feeds.run())
    world.feeds.looked(await world.store.look())
    await eventually(lambda: len(world.names()), lambda found: found >= 2)
    running.cancel()
    await asyncio.wait([running])

    assert world.names() == {}
