import asyncio
from dataclasses import replace
from typing import Any

import pytest
from query_support.fixtures import Samples
from query_support.memory_builds import FIRST, MemoryBuilds, MemoryTopic
from structlog.testing import capture_logs

from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.builds import Build, Move, reached


async def test_an_empty_topic_is_built_at_once_one_build_a_projector(begin: BeginBuilds, store: MemoryBuilds):
    await begin()
    await begin()

    assert [(one.number, one.projector, one.versions, one.group, one.state) for one in await store.all()] == [
        (1, "notes", {"notes": 1}, "group-notes-v1-1", "complete"),
        (2, "background", {"search": 1, "history": 1}, "group-search-v1-history-v1-2", "complete"),
    ]
    assert {name: at.build for name, at in (await store.active_builds()).items()} == {
        "notes": 1,
        "search": 2,
        "history": 2,
    }


async def test_a_topic_with_events_is_served_once_their_group_is_past_them(
    begin: BeginBuilds, store: MemoryBuilds, topic: MemoryTopic
):
    topic.at_beginning, topic.at_end = {0: 3, 1: 0}, {0: 5, 1: 0}
    await begin()
    assert await store.active_builds() == {}

    topic.at_end = {0: 9, 1: 4}  # what comes later is not waited for
    topic.groups = {"group-notes-v1-1": {0: 5}, "group-search-v1-history-v1-2": {0: 4}}
    await begin()
    assert set(await store.active_builds()) == {"notes"}

    topic.groups["group-search-v1-history-v1-2"] = {0: 5}
    await begin()
    assert set(await store.active_builds()) == {"notes", "search", "history"}


async def test_a_read_model_that_is_new_gets_a_build_and_the_others_keep_theirs(
    begin: BeginBuilds, store: MemoryBuilds, topic: MemoryTopic, samples: Samples
):
    await begin()
    topic.at_end = {0: 5, 1: 0}
    models = {**FIRST, "new": ReadModel("new", 1, "background", (), entry=lambda event: {"_id": event.id})}
    newer = replace(begin, builds=store.of(models), read_models=models)
    await newer()
    await newer()

    assert [(one.number, one.versions, one.state) for one in await store.all()][2:] == [(3, {"new": 1}, "building")]
    assert {name: one.number for name, one in (await newer.builds.served()).items()} == {
        "notes": 1,
        "search": 2,
        "history": 2,
    }


def changed(*names: str) -> dict[str, ReadModel]:
    """Return a later release's read models, in which these have another version."""
    return {name: replace(one, version=1 + (name in names)) for name, one in FIRST.items()}


async def test_a_new_version_is_built_beside_the_old_one_with_all_that_its_group_feeds(
    begin: BeginBuilds, store: MemoryBuilds, topic: MemoryTopic, samples: Samples
):
    await begin()
    topic.at_end = {0: 5, 1: 0}
    newer = replace(begin, builds=store.of(changed("search")), read_models=changed("search"))
    await newer()
    await begin()

    # The old release's build cannot be fed without the old search, and goes when that release does.
    assert [(one.number, one.versions) for one in await store.all()][2:] == [(3, {"search": 2, "history": 1})]
    assert [one.number for one in begin.own(await store.all())] == [1, 2]
    assert [one.number for one in newer.own(await store.all())] == [1, 3]
    assert set(await newer.builds.served()) == {"notes"}, "old search documents are not for new code"

    topic.groups["group-search-v2-history-v1-3"] = {0: 5}
    await begin()
    assert set(await newer.builds.served()) == {"notes"}, "old code does not judge it"
    await newer()
    assert {name: one.number for name, one in (await newer.builds.served()).items()} == {
        "notes": 1,
        "search": 3,
        "history": 3,
    }
    assert {name: one.number for name, one in (await store.served()).items()} == {
        "notes": 1,
        "search": 2,
        "history": 2,
    }


async def test_many_that_begin_at_once_begin_one_build(begin: BeginBuilds, store: MemoryBuilds, topic: MemoryTopic):
    topic.at_end = {0: 5, 1: 0}
    newer = replace(begin, builds=store.of(changed("notes")), read_models=changed("notes"))
    await asyncio.gather(*(release() for release in (begin, newer) for _ in range(10)))

    assert sorted(str(one) for one in await store.all()) == [
        "notes version 1",
        "notes version 2",
        "search version 1, history version 1",
    ]


async def test_what_was_begun_by_one_that_died_is_made_ready_by_another(begin: BeginBuilds, store: MemoryBuilds):
    await store.add(Build(1, "notes", {"notes": 1}, "group-notes-v1-1", "begun", {0: 0, 1: 0}, begin.clock()))
    await begin()

    assert sorted(begin.prepare.numbers) == [1, 2]  # type: ignore[attr-defined]
    assert {one.state for one in await store.all()} == {"complete"}
    assert set(await store.served()) == {"notes", "search", "history"}


async def test_a_later_edition_serves_what_the_one_before_has_switched_to(
    begin: BeginBuilds, store: MemoryBuilds, samples: Samples
):
    await begin()
    for number in (3, 4):
        await store.add(replace((await store.all())[1], number=number))
    await store.move([Move("search", 2, 3)], samples.at(5))
    models = {**FIRST, "new": ReadModel("new", 1, "background", (), entry=lambda event: {"_id": event.id})}
    newer = replace(begin, builds=store.of(models), read_models=models)
    await newer()

    assert {name: one.number for name, one in (await newer.builds.served()).items()} == {
        "notes": 1,
        "search": 3,
        "history": 3,
        "new": 5,
    }


async def test_that_the_beginning_of_the_topic_is_gone_is_said(begin: BeginBuilds, topic: MemoryTopic):
    topic.at_beginning, topic.at_end = {0: 3, 1: 0}, {0: 5, 1: 0}
    with capture_logs() as logs:
        await begin()

    said = [(one["build"], one["beginnings"]) for one in logs if one["log_level"] == "warning"]
    assert said == [(1, {0: 3}), (2, {0: 3})]


async def test_what_is_dropped_while_kafka_is_asked_is_not_served(
    begin: BeginBuilds, store: MemoryBuilds, topic: MemoryTopic, monkeypatch: pytest.MonkeyPatch
):
    """Its collections are dropped: readers would get nothing, and readiness would be green."""
    topic.at_end = {0: 5, 1: 0}
    await begin()
    topic.groups = {"group-notes-v1-1": {0: 5}}

    async def committed(group: str) -> dict[int, int]:
        await store.drop(1)
        return topic.groups.get(group, {})

    monkeypatch.setattr(topic, "committed", committed)
    await begin()

    assert await store.active_builds() == {}
    assert [one.state for one in await store.all()] == ["dropped", "building"]


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
def test_a_target_is_reached_when_every_partition_is_there_or_has_nothing_left(
    committed: Any, beginnings: Any, expected: bool
):
    assert reached(committed, beginnings, {0: 5, 1: 7}) is expected


async def test_a_target_in_a_topic_that_was_made_anew_is_its_end(
    begin: BeginBuilds, store: MemoryBuilds, topic: MemoryTopic
):
    topic.at_end = {0: 500, 1: 0}
    await begin()
    topic.at_end = {0: 3, 1: 0}  # made anew, with fewer records
    topic.groups = {"group-notes-v1-1": {0: 2}, "group-search-v1-history-v1-2": {0: 3}}
    await begin()
    assert await store.active_builds() == {}, "it may be on its way still"
    await begin()
    assert set(await store.active_builds()) == {"search", "history"}
    topic.groups["group-notes-v1-1"] = {0: 3}
    await begin()
    await begin()
    assert set(await store.active_builds()) == {"notes", "search", "history"}
