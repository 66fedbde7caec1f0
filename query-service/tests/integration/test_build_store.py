"""The twin and MongoDB do the same with builds, active builds and instances."""

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
from query_support.fixtures import Database, Samples
from query_support.memory_builds import MemoryBuilds

from notes_chassis.kafka.lag import Progress
from notes_query.monitoring.lag import ProgressStore
from notes_query.projections import READ_MODELS
from notes_query.rebuilding.build_store import ANSWERED_FROM, GONE_S, INSTANCES, BuildStore
from notes_query.rebuilding.builds import Build, Instance, Move

# Another release: of search it has another version.
OTHERS = {**READ_MODELS, "search": replace(READ_MODELS["search"], version=3)}


@dataclass
class Both:
    """Of this release, and what another one has of the same builds."""

    builds: Any
    others: Any


@pytest.fixture(params=["memory", "mongo"])
def both(request: pytest.FixtureRequest, database: Database) -> Both:
    if request.param == "memory":
        builds = MemoryBuilds(READ_MODELS)
        return Both(builds, builds.of(OTHERS))
    return Both(BuildStore(database, READ_MODELS), BuildStore(database, OTHERS))


@pytest.fixture
def one(samples: Samples) -> Build:
    return Build(1, "notes", {"notes": 1}, "group-notes-v2-1", "building", {0: 5, 11: 7}, samples.start)


async def test_a_build_is_kept_whole_and_its_number_taken_once(both: Both, one: Build):
    taken = await asyncio.gather(*(both.builds.add(replace(one, group=f"{racer}")) for racer in range(20)))

    assert sorted(taken) == [False] * 19 + [True]
    (kept,) = await both.builds.all()
    assert kept == replace(one, group=kept.group)


async def test_fields_that_a_later_release_adds_are_passed_over(database: Database, one: Build, samples: Samples):
    builds = BuildStore(database, READ_MODELS)
    await builds.add(replace(one, state="complete"))
    await builds.point("notes", 1, samples.start)
    progress = ProgressStore(database)
    await progress.save([known := Progress("group", 0, 5, 9, samples.start, samples.start)])
    await builds.report(Instance("one", {}, [1]))
    for name in ("builds", "active_builds", "progress", INSTANCES):
        await database[name].update_many({}, {"$set": {"of_tomorrow": 1}})

    look = await builds.look()
    assert builds.mine(look.active)["notes"].build == 1
    assert (look.builds, look.live) == ([replace(one, state="complete", served_at=samples.start)], [("one", {}, [1])])
    assert await progress.of("group") == [known]


async def test_what_a_killed_process_has_left_goes(database: Database):
    """Every look reads all of them."""
    expiry = (await database[INSTANCES].index_information())["expiry"]
    assert (expiry["key"], expiry["expireAfterSeconds"]) == ([("seen_at", 1)], GONE_S)


async def test_it_is_completed_once(both: Both, one: Build):
    await both.builds.add(one)

    assert [await both.builds.advance(1, "building", "complete") for _ in range(2)] == [True, False]
    assert [build.state for build in await both.builds.all()] == ["complete"]


async def test_an_active_build_is_set_once_and_moved_only_from_where_it_is(both: Both, one: Build, samples: Samples):
    for number in (1, 2, 3):
        await both.builds.add(replace(one, number=number, state="building" if number == 3 else "complete"))
    for read_model in ("notes", "search"):
        await both.builds.point(read_model, 1, samples.start)
        await both.builds.point(read_model, 2, samples.start)

    later = samples.at(5)
    refused = [
        [Move("notes", 1, 2), Move("search", 2, 1)],  # the second is not there
        [Move("notes", 1, 2), Move("search", 1, 3)],  # not complete
        [Move("notes", 1, 2), Move("search", 1, 9)],
        [Move("notes", 1, 2), Move("history", 1, 2)],
    ]
    for moves in refused:
        assert await both.builds.move(moves, later) is False
        assert {active.build for active in (await both.builds.active_builds()).values()} == {1}
    assert await both.builds.move([Move("notes", 1, 2), Move("search", 1, 2)], later) is True
    active_builds = await both.builds.active_builds()
    assert {(one.read_model, *one[2:]) for one in active_builds.values()} == {
        ("notes", 2, 1, later),
        ("search", 2, 1, later),
    }


async def test_what_is_served_is_not_dropped_and_what_is_dropped_is_not_served(
    both: Both, one: Build, samples: Samples
):
    for number in (1, 2):
        await both.builds.add(replace(one, number=number, state="complete"))
    await both.builds.point("notes", 1, samples.start)

    assert await both.builds.drop(1) is False
    dropped, moved = await asyncio.gather(both.builds.drop(2), both.builds.move([Move("notes", 1, 2)], samples.start))

    assert dropped is not moved
    states = {build.number: build.state for build in await both.builds.all()}
    assert states[(await both.builds.active_builds())["notes"].build] == "complete"


async def test_only_what_is_complete_is_made_active(both: Both, one: Build, samples: Samples):
    """A build may be dropped while Kafka is asked how far it is: readers would get its empty collections."""
    for number, state in ((1, "building"), (2, "dropped"), (3, "complete")):
        await both.builds.add(replace(one, number=number, state=state))

    assert [await both.builds.point("notes", number, samples.start) for number in (1, 2, 9)] == [False] * 3
    assert await both.builds.active_builds() == {}
    done = await asyncio.gather(both.builds.drop(3), *(both.builds.point("notes", 3, samples.start) for _ in range(5)))
    active = [active.build for active in (await both.builds.active_builds()).values()]
    assert (done[0], sum(done[1:]), active) in [(True, 0, []), (False, 1, [3])]


async def test_each_edition_has_active_builds_of_its_own_and_forgets_what_is_dropped(
    both: Both, one: Build, samples: Samples
):
    for number in (1, 2, 3):
        await both.builds.add(replace(one, number=number, state="complete"))
    await both.builds.point("notes", 1, samples.start)
    await both.builds.point("search", 2, samples.start)
    assert set(await both.others.active_builds()) == {"notes"}, "notes are the same in both, search is not"

    await both.others.point("search", 3, samples.start)
    await both.others.point("history", 3, samples.start)
    assert {name: one.number for name, one in (await both.builds.served()).items()} == {"notes": 1, "search": 2}
    assert await both.others.move([Move("search", 2, 3)], samples.start) is False, "that is where this edition is"
    assert await both.others.drop(3) is False
    assert await both.builds.drop(3) is True
    assert set(await both.others.active_builds()) == {"notes"}
    assert {active.build for active in (await both.builds.look()).active} == {1, 2}


async def test_what_readers_have_are_builds_of_all_releases_that_answer(both: Both):
    await both.builds.answer_from({"notes": 1, "search": 2})
    await both.others.answer_from({"notes": 4})
    await both.builds.answer_from({"notes": 1})

    assert await both.builds.answered_from() == {"notes": {1, 4}, "search": {2}}


async def test_what_an_earlier_release_has_noted_counts_until_somebody_notes_more(database: Database):
    builds = BuildStore(database, READ_MODELS)
    await database[ANSWERED_FROM].insert_one({"_id": "notes", "build": 3})
    assert await builds.answered_from() == {"notes": {3}}
    await builds.answer_from({"notes": 4})
    assert await builds.answered_from() == {"notes": {4}}


async def test_what_nobody_has_answered_from_for_long_counts_no_more(database: Database):
    builds = BuildStore(database, READ_MODELS)
    await builds.answer_from({"notes": 1, "search": 2})
    past = {"$set": {"builds.1": datetime(2026, 1, 1, tzinfo=UTC)}}
    await database[ANSWERED_FROM].update_one({"_id": "notes"}, past)
    assert await builds.answered_from() == {"notes": {1}, "search": {2}}, "while nobody has answered since"

    await builds.answer_from({"notes": 4})
    assert await builds.answered_from() == {"notes": {4}, "search": {2}}


async def test_instances_are_those_that_report(both: Both):
    for feeds in ([], [1, 2]):
        await both.builds.report(Instance("a", {"notes": 1}, feeds))
    await both.builds.report(Instance("b", None, [1]))

    assert sorted((await both.builds.look()).live) == [Instance("a", {"notes": 1}, [1, 2]), Instance("b", None, [1])]
    await both.builds.leave("a")
    assert (await both.builds.look()).live == [Instance("b", None, [1])]


async def test_who_is_silent_is_gone(database: Database):
    builds = BuildStore(database, READ_MODELS)
    await builds.report(Instance("a", {}, []))
    await database[INSTANCES].update_one({}, [{"$set": {"seen_at": {"$subtract": ["$seen_at", 11_000]}}}])

    assert (await builds.look()).live == []
