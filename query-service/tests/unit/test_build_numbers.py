"""A number of a build, and with it a consumer group, is used once: also where MongoDB does not know of it any more."""

import pytest
from query_support.memory_builds import MemoryBuilds, MemoryTopic

from notes_query.rebuilding.begin_builds import BeginBuilds


async def test_a_dropped_number_is_never_used_again(begin: BeginBuilds, store: MemoryBuilds):
    await begin()
    store.at.clear()
    for number in (1, 2):
        await store.drop(number)
    await begin()

    assert [one.number for one in await store.all()] == [1, 2, 3, 4]


@pytest.mark.parametrize("fed", [True, False])
async def test_a_build_that_another_instance_has_begun_just_now_is_not_begun_again(
    *, fed: bool, begin: BeginBuilds, store: MemoryBuilds, topic: MemoryTopic
):
    """Nor where it is fed already: its group is not one that MongoDB has forgotten."""
    known = await store.all()
    assert await begin.begin(known, "notes", ["notes"]) is not None
    topic.groups = {"group-notes-v1-1": {0: 5}} if fed else {}

    assert await begin.begin(known, "notes", ["notes"]) is None
    assert [one.number for one in await store.all()] == [1]


async def test_a_number_whose_group_has_read_before_is_passed_over(begin: BeginBuilds, topic: MemoryTopic):
    topic.groups = {f"group-notes-v1-{number}": {0: 5} for number in (1, 2)}
    begun = await begin.begin([], "notes", ["notes"])
    assert begun is not None
    assert begun.number == 3
