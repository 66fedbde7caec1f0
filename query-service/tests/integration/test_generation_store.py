"""The twin and MongoDB do the same with generations, pointers and instances."""

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import pytest
from query_support.memory_builds import MemoryBuilds, MemoryInstances

from notes_query.rebuilding.build_store import INSTANCES, BuildStore, InstanceStore
from notes_query.rebuilding.builds import Build, Instance, Move


@dataclass
class Both:
    generations: Any
    instances: Any


@pytest.fixture(params=["memory", "mongo"])
def both(request: pytest.FixtureRequest, database: Any) -> Both:
    if request.param == "memory":
        return Both(MemoryBuilds(), MemoryInstances())
    return Both(BuildStore(database), InstanceStore(database))


@pytest.fixture
def one(samples: Any) -> Build:
    return Build(1, "core", ("notes",), "group-core-1", "building", {0: 5, 11: 7}, samples.start)


async def test_a_generation_is_kept_whole_and_its_number_taken_once(both: Both, one: Build):
    taken = await asyncio.gather(*(both.generations.add(replace(one, group=f"{racer}")) for racer in range(20)))

    assert sorted(taken) == [False] * 19 + [True]
    (kept,) = await both.generations.all()
    assert kept == replace(one, group=kept.group)


async def test_it_is_completed_once(both: Both, one: Build):
    await both.generations.add(one)

    assert [await both.generations.complete(1), await both.generations.complete(1)] == [True, False]
    assert [generation.state for generation in await both.generations.all()] == ["complete"]


async def test_a_pointer_is_set_once_and_moved_only_from_where_it_is(both: Both, one: Build, samples: Any):
    for number in (1, 2, 3):
        await both.generations.add(replace(one, number=number, state="building" if number == 3 else "complete"))
    for shape in ("notes", "search"):
        await both.generations.point(shape, 1, samples.start)
        await both.generations.point(shape, 2, samples.start)

    later = samples.at(5)
    refused = [
        [Move("notes", 1, 2), Move("search", 2, 1)],  # the second is not there
        [Move("notes", 1, 2), Move("search", 1, 3)],  # not complete
        [Move("notes", 1, 2), Move("search", 1, 9)],
        [Move("notes", 1, 2), Move("nothing", 1, 2)],
    ]
    for moves in refused:
        assert await both.generations.move(moves, later) is False
        assert {pointer.generation for pointer in (await both.generations.pointers()).values()} == {1}
    assert await both.generations.move([Move("notes", 1, 2), Move("search", 1, 2)], later) is True
    pointers = await both.generations.pointers()
    assert {tuple(pointer) for pointer in pointers.values()} == {("notes", 2, 1, later), ("search", 2, 1, later)}


async def test_what_is_served_is_not_dropped_and_what_is_dropped_is_not_served(both: Both, one: Build, samples: Any):
    for number in (1, 2):
        await both.generations.add(replace(one, number=number, state="complete"))
    await both.generations.point("notes", 1, samples.start)

    assert await both.generations.drop(1) is False
    dropped, moved = await asyncio.gather(
        both.generations.drop(2), both.generations.move([Move("notes", 1, 2)], samples.start)
    )

    assert dropped is not moved
    states = {generation.number: generation.state for generation in await both.generations.all()}
    assert states[(await both.generations.pointers())["notes"].generation] == "complete"


async def test_instances_are_those_that_report(both: Both):
    for feeds in ([], [1, 2]):
        await both.instances.report(Instance("a", {"notes": 1}, feeds))
    await both.instances.report(Instance("b", None, [1]))

    assert sorted(await both.instances.live()) == [Instance("a", {"notes": 1}, [1, 2]), Instance("b", None, [1])]
    await both.instances.leave("a")
    assert await both.instances.live() == [Instance("b", None, [1])]


async def test_who_is_silent_is_gone(database: Any):
    instances = InstanceStore(database)
    await instances.report(Instance("a", {}, []))
    await database[INSTANCES].update_one({}, [{"$set": {"seen_at": {"$subtract": ["$seen_at", 11_000]}}}])

    assert await instances.live() == []
