"""What a client is told that goes on elsewhere, or again: nothing is missed, and only a note's last version repeats."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from notes_query.live import follower as follower_module
from notes_query.live import hub as hub_module
from notes_query.live.change_log import ChangeLog
from notes_query.live.follower import Pace
from notes_query.live.position import StreamPosition, encode, fingerprint
from tests.harness.waiting import eventually

DEADLINE_S = 10
OLD = encode(StreamPosition(fingerprint("events"), (0, 0, 0)))
SOON = Pace(500, 0.01, 0.05)
"""In place of a minute."""
PATIENT = Pace(500, 0.01, 3_600.0)


async def lost(world: Any, lose: Callable[[], None]) -> None:
    """Have the topic away, and not the same when it is back."""
    world.topic.away = True
    await eventually(lambda: world.reports and world.reports[-1] is not None)
    lose()
    world.topic.away = False


async def all_passed() -> dict[int, int]:
    return {0: 1_000}


@pytest.fixture
async def other(world: Any) -> AsyncIterator[Any]:
    """Give a second instance."""
    other = world.instance()
    running = asyncio.create_task(other.hub.run())
    yield other
    running.cancel()
    await asyncio.wait([running])


def topic_anew(world: Any) -> None:
    world.topic.identity, world.topic.first, world.topic.logs = "events:another", [0, 0, 0], [[], [], []]


def end_lost(world: Any) -> None:
    del world.topic.logs[0][5:]  # a leader that was behind was elected


@pytest.mark.parametrize("lose", [topic_anew, end_lost])
async def test_after_a_loss_whoever_has_resumed_is_told_of_changes_at_offsets_used_again(
    world: Any, connect: Any, lose: Callable[[Any], None]
):
    async with connect(world) as keeper:
        for version in range(1, 11):
            world.event("a", version)
        events = await keeper.some(10)
        async with connect(world, events[-1].id) as resumed:
            await resumed.begun()
            await lost(world, lambda: lose(world))
            for each in (keeper, resumed):
                (reset,) = await each.some(1)
                assert reset.name == "reset"
            for version in (1, 2):
                world.event("c", version)
            for each in (keeper, resumed):
                seen = await each.some(2)
                assert world.names(seen) == [("c", 1), ("c", 2)]
        async with connect(world, seen[-1].id) as again:
            world.event("c", 3)
            assert world.names(await again.some(1)) == [("c", 3)], "and no reset comes twice"


async def test_of_late_changes_that_were_told_only_the_last_of_a_note_comes_again(
    world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(follower_module, "LIVE", SOON)
    world.hub.passed = all_passed
    async with connect(world) as keeper:
        world.event("a", 1)
        await keeper.some(1)
        world.hub._follower.pace = SOON
        for note in "ab":
            world.event(note, 3, visible=False)
        await eventually(lambda: len(world.hub.pending.aside) == 2)
        for note in "ab":
            world.visible(note, 3)
        await keeper.some(2)
        world.event("a", 4)
        (last,) = await keeper.some(1)
        for _ in range(2):
            async with connect(world, last.id) as again:
                world.event("c", 1)
                assert world.names(await again.some(2))[0] == ("b", 3)


async def test_what_one_instance_has_set_aside_is_told_by_another_where_it_is_still_pending(
    world: Any, connect: Any, other: Any
):
    world.hub.passed = other.hub.passed = all_passed
    async with connect(world) as here, connect(other) as there:
        world.event("a", 1)
        await here.some(1)
        await there.some(1)
        world.hub._follower.pace, other.hub._follower.pace = SOON, PATIENT
        world.event("b", 2, visible=False)  # version 1 is missing
        await eventually(lambda: world.hub.pending.aside and other.hub.pending._since)
        world.event("a", 2)
        (last,) = await here.some(1)
        await there.some(1)
        assert other.hub.pending.holds(0, 1)
        async with connect(other, last.id) as moved:
            await moved.begun()
            world.visible("b", 2)
            for each in (here, there, moved):
                assert world.names(await each.some(1)) == [("b", 2)]


@pytest.mark.parametrize("known", [True, False], ids=["known to all", "known to the reader alone"])
async def test_what_a_reader_of_its_own_has_set_aside_is_told_after_it_has_joined_the_log(
    world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch, *, known: bool
):
    monkeypatch.setattr(hub_module, "ChangeLog", lambda start: ChangeLog(start, max_entries=4))
    monkeypatch.setattr(hub_module, "CATCHING_UP", SOON._replace(read_at_once=1))
    if not known:
        world.event("b", 2, visible=False)
        world.event("a", 1)
    async with connect(world) as keeper:
        await keeper.begun()
        if known:
            world.event("b", 2, visible=False)
        for version in range(2, 30):
            world.event("a", version)
            await keeper.some(1)
        assert world.hub.pending.holds(0, 0) is known
        world.hub.passed = all_passed
        async with connect(world, OLD) as far:
            await far.some(29 - known)
            while far.stream.behind is not None:
                version += 1
                world.event("a", version)
                for each in (far, keeper):
                    await each.some(1)
            assert (0, 0) not in far.stream._has.pending, "passed"
            world.visible("b", 2)
            for each in (far, keeper):
                assert world.names(await each.some(1)) == [("b", 2)]
