"""Whoever switches is told what is done: of what is moved already nobody says that it is not."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from query_support.fixtures import Samples
from query_support.memory_builds import FIRST, MemoryBuilds

from notes_query.errors import Refused, StoreUnavailable
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.builds import Build, Instance, Move
from notes_query.rebuilding.rebuild import Built, Rebuild
from notes_query.rebuilding.switch_build import SwitchBuild


@dataclass
class Topic:
    """Every group is at 5."""

    groups: dict[str, dict[int, int]] = field(default_factory=lambda: {"g1": {0: 5}, "g2": {0: 5}})
    at_end: Mapping[int, int] = field(default_factory=lambda: {0: 5})

    async def beginnings(self) -> dict[int, int]:
        return {0: 0}

    async def ends(self) -> Mapping[int, int]:
        return self.at_end

    async def committed(self, group: str) -> dict[int, int]:
        return self.groups.get(group, {})


class Stored:
    """Documents that are the same in both."""

    async def behind(self, *_: Any) -> dict[str, int]:
        return {}


@pytest.fixture
async def store(samples: Samples) -> MemoryBuilds:
    """The second build is served, and the first one kept."""
    store = MemoryBuilds(FIRST)
    for number in (1, 2):
        await store.add(Build(number, "notes", {"notes": 1}, f"g{number}", "complete", {0: 5}, samples.start))
    await store.point("notes", 1, samples.start)
    await store.move([Move("notes", 1, 2)], samples.start)
    await store.report(Instance("one", {store.key("notes"): 2}, [1, 2]))
    return store


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def rebuild(store: MemoryBuilds, topic: Topic, samples: Samples) -> Rebuild:
    unused: Any = None
    begin = BeginBuilds(store, topic, FIRST, unused, "g", lambda: samples.start)  # type: ignore[arg-type]
    return Rebuild(begin, SwitchBuild(begin, Stored()), unused, lambda _: None)  # type: ignore[arg-type]


async def served(store: MemoryBuilds) -> int:
    return (await store.active_builds())["notes"].build


async def test_an_instance_that_does_not_follow_in_time_is_named(rebuild: Rebuild, store: MemoryBuilds):
    done = await rebuild.back(["notes"], timeout_s=0.2)

    assert await served(store) == 1
    assert done.moves == [Move("notes", 2, 1)]
    assert done[1:] == (None, "the active builds are moved, but not every instance has followed yet: one")


async def test_with_the_store_away_after_the_move_it_is_done_all_the_same(
    rebuild: Rebuild, store: MemoryBuilds, monkeypatch: pytest.MonkeyPatch
):
    async def away() -> Any:
        raise StoreUnavailable("MongoDB: AutoReconnect")

    async def move_and_leave(*arguments: Any) -> bool:
        monkeypatch.setattr(store, "look", away)
        return await MemoryBuilds.move(store, *arguments)

    monkeypatch.setattr(store, "move", move_and_leave)
    done = await rebuild.back(["notes"], timeout_s=0.2)

    assert await served(store) == 1
    assert done.moves == [Move("notes", 2, 1)]
    assert done.problem.endswith("not every instance has followed yet: MongoDB: AutoReconnect")


async def test_a_move_without_an_answer_may_be_done(
    rebuild: Rebuild, store: MemoryBuilds, monkeypatch: pytest.MonkeyPatch
):
    async def away(*_: Any) -> bool:
        raise StoreUnavailable("MongoDB: AutoReconnect")

    monkeypatch.setattr(store, "move", away)
    done = await rebuild.back(["notes"])

    assert done.moves == ()
    assert done == ((), None, "whether the active builds are moved is not known: MongoDB: AutoReconnect")


async def test_whoever_has_followed_is_not_waited_for(rebuild: Rebuild, store: MemoryBuilds):
    await store.report(Instance("one", {store.key("notes"): 1}, [1, 2]))
    await store.report(Instance("projector", None, [1, 2]))

    assert (await rebuild.back(["notes"], timeout_s=5)).after_s is not None


async def test_what_was_at_its_target_does_not_wait_for_it_in_a_topic_that_was_made_anew(
    rebuild: Rebuild, store: MemoryBuilds, topic: Topic
):
    await store.report(Instance("one", {store.key("notes"): 1}, [1, 2]))
    topic.groups, topic.at_end = {"g1": {0: 2}, "g2": {0: 2}}, {0: 2}
    shown: list[tuple[int, int]] = []
    rebuild.show = lambda built: shown.append((built.done, built.total))

    done = await rebuild.back(["notes"], timeout_s=2)

    assert done.moves == [Move("notes", 2, 1)]
    assert shown == [(5, 5)]


async def test_a_rebuild_goes_on_once_a_projector_has_found_it_complete(
    rebuild: Rebuild, store: MemoryBuilds, topic: Topic, samples: Samples
):
    """Projectors see that a topic was made anew: its end is then the target."""
    await store.drop(1)
    await store.add(Build(3, "notes", {"notes": 1}, "g3", "building", {0: 500}, samples.start))
    await store.report(Instance("one", {store.key("notes"): 3}, [2, 3]))
    topic.groups["g3"] = {0: 5}
    store.at[store.key("notes")] = store.at[store.key("notes")]._replace(previous=None)

    def completed(built: Built) -> None:
        if built.build.state == "building":
            store.builds[3] = replace(store.builds[3], state="complete")

    rebuild.show = completed
    done = await rebuild(["notes"], timeout_s=2)

    assert done.moves == [Move("notes", 2, 3)]


async def test_a_rebuild_of_what_somebody_drops_ends(rebuild: Rebuild, store: MemoryBuilds, samples: Samples):
    await store.drop(1)
    await store.add(Build(3, "notes", {"notes": 1}, "g3", "building", {0: 500}, samples.start))
    store.at[store.key("notes")] = store.at[store.key("notes")]._replace(previous=None)
    rebuild.show = lambda _: store.builds.update({3: replace(store.builds[3], state="dropped")})

    async with asyncio.timeout(5):
        with pytest.raises(Refused, match="build 3 was dropped by somebody else"):
            await rebuild(["notes"])


async def test_a_rebuild_that_is_refused_has_begun_nothing(rebuild: Rebuild, store: MemoryBuilds, samples: Samples):
    await store.drop(1)
    store.at[store.key("notes")] = store.at[store.key("notes")]._replace(previous=None)
    for number, names in ((3, ("search", "history")), (4, ("search",))):
        versions = dict.fromkeys(names, 1)
        await store.add(Build(number, "background", versions, f"g{number}", "complete", {0: 5}, samples.start))
    for name in ("search", "history"):
        await store.point(name, 3, samples.start)

    with pytest.raises(Refused, match=r"build 4 \(search version 1\) is begun by `rebuild search`.*`drop 4` first"):
        await rebuild(["notes", "search", "history"])
    assert [one.number for one in await store.all()] == [1, 2, 3, 4]
