from collections.abc import Iterable
from typing import Any

import pytest
from query_support.memory_builds import MemoryBuilds

from notes_query.projections import READ_MODELS
from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.builds import reached


class Topic:
    """An TopicOffsets with what the test says."""

    def __init__(self) -> None:
        self.at_beginning, self.at_end = {0: 0, 1: 0}, {0: 0, 1: 0}
        self.groups: dict[str, dict[int, int]] = {}

    async def beginnings(self) -> dict[int, int]:
        return self.at_beginning

    async def ends(self) -> dict[int, int]:
        return self.at_end

    async def committed(self, group: str) -> dict[int, int]:
        return self.groups.get(group, {})


@pytest.fixture
def topic() -> Topic:
    return Topic()


@pytest.fixture
def store() -> MemoryBuilds:
    return MemoryBuilds()


@pytest.fixture
def begin(topic: Topic, store: MemoryBuilds, samples: Any) -> BeginBuilds:
    async def prepare(_: Iterable[ReadModel], __: int) -> None:
        """Nothing to prepare."""

    return BeginBuilds(store, topic, READ_MODELS, prepare, "group", lambda: samples.start)


async def test_an_empty_topic_is_built_at_once_one_build_a_projector(begin: BeginBuilds, store: MemoryBuilds):
    await begin()
    await begin()

    assert [(one.number, one.projector, one.read_models, one.group, one.state) for one in await store.all()] == [
        (1, "notes", ("notes",), "group-notes-1", "complete"),
        (2, "background", ("search", "history"), "group-background-2", "complete"),
    ]
    assert {read_model: at.build for read_model, at in (await store.active_builds()).items()} == {
        "notes": 1,
        "search": 2,
        "history": 2,
    }


async def test_a_topic_with_events_is_served_once_their_group_is_past_them(
    begin: BeginBuilds, store: MemoryBuilds, topic: Topic
):
    topic.at_beginning, topic.at_end = {0: 3, 1: 0}, {0: 5, 1: 0}
    await begin()
    assert await store.active_builds() == {}

    topic.at_end = {0: 9, 1: 4}  # what comes later is not waited for
    topic.groups = {"group-notes-1": {0: 5}, "group-background-2": {0: 4}}
    await begin()
    assert set(await store.active_builds()) == {"notes"}

    topic.groups["group-background-2"] = {0: 5}
    await begin()
    assert set(await store.active_builds()) == {"notes", "search", "history"}


async def test_a_read_model_that_is_new_gets_a_build_and_the_others_keep_theirs(
    begin: BeginBuilds, store: MemoryBuilds, topic: Topic, samples: Any
):
    await begin()
    topic.at_end = {0: 5, 1: 0}
    new = ReadModel("new", "background", (), entry=lambda event: {"_id": event.id})
    await BeginBuilds(store, topic, {**READ_MODELS, "new": new}, begin.prepare, "group", lambda: samples.start)()

    assert [(one.number, one.read_models, one.state) for one in await store.all()][2:] == [(3, ("new",), "building")]
    assert "new" not in await store.active_builds()


async def test_a_dropped_number_is_never_used_again(begin: BeginBuilds, store: MemoryBuilds):
    await begin()
    store.at.clear()
    for number in (1, 2):
        await store.drop(number)
    await begin()

    assert [one.number for one in await store.all()] == [1, 2, 3, 4]


@pytest.mark.parametrize(
    ("committed", "beginnings", "expected"),
    [
        ({0: 5, 1: 7}, {}, True),
        ({0: 5, 1: 6}, {}, False),
        ({0: 5}, {}, False),
        ({0: 5}, {1: 7}, True),  # nothing is left to read
        ({}, {}, False),
    ],
)
def test_reached(committed: Any, beginnings: Any, expected: bool):
    assert reached(committed, beginnings, {0: 5, 1: 7}) is expected


async def test_a_target_in_a_topic_that_was_made_anew_is_its_end(begin: BeginBuilds, store: MemoryBuilds, topic: Topic):
    topic.at_end = {0: 500, 1: 0}
    await begin()
    topic.at_end = {0: 3, 1: 0}  # made anew, with fewer records
    topic.groups = {"group-notes-1": {0: 2}, "group-background-2": {0: 3}}
    await begin()
    assert await store.active_builds() == {}, "it may be on its way still"
    await begin()
    assert set(await store.active_builds()) == {"search", "history"}
    topic.groups["group-notes-1"] = {0: 3}
    await begin()
    await begin()
    assert set(await store.active_builds()) == {"notes", "search", "history"}
