"""A stream that is behind the log, and what can happen to the reader that it has borrowed."""

import asyncio
from typing import Any

import pytest
from query_support.memory_topic import MemoryTail

from notes_query.errors import TopicUnavailable
from notes_query.live import stream as stream_module
from notes_query.live.change_log import ChangeLog
from notes_query.live.position import StreamPosition, encode, fingerprint
from tests.harness.waiting import eventually

OLD = encode(StreamPosition(fingerprint("events"), (0, 0, 0)))
drained = MemoryTail._drained


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream_module, "AGAIN_S", 0.01)
    monkeypatch.setattr("notes_query.live.follower.CHECK_S", 0.05)
    monkeypatch.setattr("notes_query.live.follower.IDLE_S", 0.05)


async def test_records_that_a_reader_lets_go_of_are_read_by_another(
    world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
):
    lost: list[Any] = []

    def lossy(tail: MemoryTail, at_most: int) -> list[Any]:
        found = drained(tail, at_most)
        if found and not lost:
            lost.extend(found)
            raise TopicUnavailable("away")
        return found

    monkeypatch.setattr(MemoryTail, "_drained", lossy)
    for version in (1, 2, 3):
        world.event("a", version)
    async with connect(world), connect(world, OLD) as one:
        assert world.names(await one.some(3)) == [("a", 1), ("a", 2), ("a", 3)]
    assert len(lost) == 3


async def test_a_reader_that_stands_still_is_replaced(world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch):
    dead: list[MemoryTail] = []

    def silent(tail: MemoryTail, at_most: int) -> list[Any]:
        if not dead and tail._next[0] == 0:
            dead.append(tail)
        return [] if tail in dead else drained(tail, at_most)

    monkeypatch.setattr(MemoryTail, "_drained", silent)
    world.event("a", 1)
    async with connect(world), connect(world, OLD) as one:
        assert world.names(await one.some(1)) == [("a", 1)]
    assert dead


async def test_partitions_that_the_topic_gets_are_read_by_who_is_behind(world: Any, connect: Any):
    world.event("late", 2, visible=False)  # nobody can join the log before it
    async with connect(world), connect(world, OLD) as one:
        world.event("a", 1)
        assert world.names(await one.some(1)) == [("a", 1)]
        world.topic.first.append(0)
        world.topic.logs.append([])
        world.event("b", 1, 3)
        assert world.names(await one.some(1)) == [("b", 1)]


async def test_heartbeats_come_while_kafka_is_away(world: Any, connect: Any):
    world.streams.heartbeat_s = 0.05
    world.event("late", 2, visible=False)
    async with connect(world), connect(world, OLD) as one:
        await one.begun()
        world.topic.away = True
        taking = asyncio.create_task(one.next())
        await eventually(lambda: one.heartbeats, lambda found: found >= 3)
        world.topic.away = False
        world.event("a", 1)
        event = await taking
        assert event is not None
        assert world.names([event]) == [("a", 1)]


async def test_a_client_that_has_all_of_a_long_log_lets_others_go_on(
    world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
):
    turns: list[int] = [0]
    looked: list[int] = []
    since = ChangeLog.since

    async def other() -> None:
        while True:
            turns[0] += 1
            await asyncio.sleep(0)

    def looking(log: ChangeLog, number: int, at_most: int) -> Any:
        looked.append(turns[0])
        return since(log, number, at_most)

    async with connect(world) as one:
        for version in range(1, 1001):
            world.event("a", version)
        last = (await one.some(1000))[-1]
        async with connect(world, last.id) as again:
            monkeypatch.setattr(ChangeLog, "since", looking)
            task = asyncio.create_task(other())
            await asyncio.sleep(0)
            world.event("b", 1)
            assert world.names(await again.some(1)) == [("b", 1)]
            task.cancel()
    assert len(looked) >= 5
    assert len(set(looked)) == len(looked)
