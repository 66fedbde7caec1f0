"""What happens to a stream of changes while it lives, and how it ends."""

import asyncio
import time
from typing import Any

import pytest
from query_support.fixed_serving import FixedServing
from query_support.memory_topic import MemoryTail

from notes_chassis.access.tokens import Caller
from notes_query.errors import Building, Busy, TopicUnavailable
from notes_query.live import follower as follower_module
from notes_query.live import hub as hub_module
from notes_query.live.change_log import ChangeLog
from notes_query.live.changes import END, EventStream
from notes_query.live.position import StreamPosition, encode, fingerprint
from tests.harness.waiting import eventually

DEADLINE_S = 10


async def reported(world: Any, *, away: bool) -> None:
    """Wait until the last report says that Kafka is away, or that it is not."""
    await eventually(lambda: world.reports and (world.reports[-1] is not None) is away, within_s=DEADLINE_S)


async def test_a_slow_client_is_told_and_dropped_and_can_go_on(
    world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hub_module, "ChangeLog", lambda start: ChangeLog(start, max_entries=4))
    async with connect(world) as slow, connect(world) as quick:
        world.event("a", 1)
        (seen,) = await slow.some(1)
        await quick.some(1)
        for version in range(2, 9):
            world.event("a", version)
            await quick.some(1)
        (last,) = await slow.some(1)
        assert (last.name, last.id) == ("slow", seen.id)
        assert await slow.next() is None
        assert world.slow == 1
        async with connect(world, last.id) as again:
            assert world.names(await again.some(7)) == [("a", version) for version in range(2, 9)]


async def test_heartbeats_come_while_nothing_happens(world: Any, connect: Any):
    world.streams.heartbeat_s = 0.05
    async with connect(world) as one:
        waiting = asyncio.create_task(one.next())
        await eventually(lambda: one.heartbeats, lambda found: found >= 3, within_s=DEADLINE_S)
        world.event("a", 1)
        assert await waiting is not None


async def test_streams_end_when_the_service_does(world: Any, connect: Any):
    async with connect(world) as one:
        await one.begun()
        waiting = asyncio.create_task(one.next())
        await asyncio.sleep(0)
        world.streams.close()
        assert await waiting is None
    with pytest.raises(Busy):
        await world.streams.open(None)


async def test_nothing_is_lost_while_a_server_is_away(world: Any, connect: Any):
    async with connect(world) as one:
        world.event("a", 1)
        await one.some(1)
        world.store_away = True
        world.event("a", 2)
        await asyncio.sleep(0.05)
        world.topic.away = True
        await asyncio.sleep(0.1)
        world.store_away = False
        world.event("a", 3)
        world.topic.away = False
        assert world.names(await one.some(2)) == [("a", 2), ("a", 3)]


async def test_with_kafka_away_a_client_is_sent_away(world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(hub_module, "READY_S", 0.3)
    world.topic.away = True
    with pytest.raises(TopicUnavailable):
        await world.streams.open(None)
    assert len(world.streams) == 0


async def test_events_that_go_before_they_were_told_reset_everybody(world: Any, connect: Any):
    async with connect(world) as one, connect(world) as two:
        await one.begun()
        world.topic.away = True
        await asyncio.sleep(0.05)
        for version in range(1, 6):
            world.event("a", version)
        world.topic.truncate(0, 4)
        world.topic.away = False
        for each in (one, two):
            (reset,) = await each.some(1)
            assert reset.name == "reset"
        world.event("b", 1)
        assert world.names(await one.some(1)) == [("b", 1)]


async def test_documents_are_asked_for_once_for_all_clients(world: Any, connect: Any):
    clients = [await world.streams.open(None) for _ in range(50)]
    world.event("a", 1)
    await eventually(lambda: world.asked, within_s=DEADLINE_S)
    await asyncio.sleep(0.05)
    assert world.asked == 1
    assert world.topic.readers == 1
    for stream in clients:
        await stream.close()


async def test_while_the_notes_are_being_built_there_are_no_changes(world: Any, connect: Any):
    world.streams.serving = FixedServing({})
    with pytest.raises(Building):
        await world.streams.open(None)


async def test_a_topic_that_was_made_anew_resets_everybody_though_it_has_as_many_events(world: Any, connect: Any):
    async with connect(world) as one:
        world.event("a", 1)
        await one.some(1)
        world.topic.identity = "events:another"
        world.topic.away = True
        await reported(world, away=True)
        world.topic.away = False
        (reset,) = await one.some(1)
        assert reset.name == "reset"


async def test_a_topic_that_was_made_anew_with_fewer_partitions_is_followed_and_resumed(world: Any, connect: Any):
    topic = world.topic
    world.event("a", 1)
    world.event("late", 2, visible=False)  # nobody can join the log before it
    old = encode(StreamPosition(fingerprint("events"), (0, 0, 0)))
    async with connect(world) as one, connect(world, old) as far_back:
        assert world.names(await far_back.some(1)) == [("a", 1)]
        for partition in (0, 1, 2):
            for version in range(1, 30):
                world.event("b", version + partition * 30, partition)
        await one.some(87)
        topic.away = True
        await reported(world, away=True)
        topic.identity, topic.first, topic.logs = "events:another", [0, 0], [[], []]
        topic.away = False
        for each in (one, far_back):
            while (event := await each.next()).name == "change":
                pass
            assert event.name == "reset"
        assert event.id == encode(StreamPosition(fingerprint(topic.identity), (0, 0)))
        for version in (1, 2):
            world.event("c", version)
        for each in (one, far_back):
            assert world.names(await each.some(2)) == [("c", 1), ("c", 2)]
        async with connect(world, event.id) as again:
            assert again.stream.behind is None  # the log has it all
            assert world.names(await again.some(2)) == [("c", 1), ("c", 2)]


async def test_with_nobody_listening_nothing_is_said_to_be_away(world: Any, connect: Any):
    async with connect(world) as one:
        world.event("a", 1)
        await one.some(1)
        world.topic.away = True
        await reported(world, away=True)
    await reported(world, away=False)


async def test_kafka_is_said_to_be_back_while_somebody_listens(
    world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(follower_module, "IDLE_S", 0.02)
    async with connect(world) as one:
        world.topic.away = True
        await reported(world, away=True)
        world.topic.away = False
        await reported(world, away=False)
        world.event("a", 1)
        await one.some(1)


async def test_a_reader_that_is_closed_is_not_asked(world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch):
    """Its answer would never come; the stream leaves its place to others."""
    monkeypatch.setattr(follower_module, "IDLE_S", 0.02)
    world.hub._backoff.attempts = 16  # seconds until the next try
    world.event("a", 1)

    async def never(_: MemoryTail) -> Any:
        await asyncio.Event().wait()

    async with connect(world):
        world.topic.away = True
        await reported(world, away=True)
        monkeypatch.setattr(MemoryTail, "bounds", never)
        with pytest.raises(TopicUnavailable, match="away"):
            async with asyncio.timeout(DEADLINE_S):
                await world.streams.open(encode(StreamPosition(fingerprint("events"), (0, 0, 0))))
        assert len(world.streams) == 1


@pytest.mark.parametrize("withdrawn", [False, True])
async def test_a_stream_ends_when_its_token_does(world: Any, *, withdrawn: bool):
    world.event("a", 1)
    sent: list[Any] = []

    gone = asyncio.Event()
    caller = Caller("anna", "user", frozenset(), time.time() + (DEADLINE_S * 2 if withdrawn else 0.05), gone)

    async def send(message: Any) -> None:
        sent.append(message)
        if withdrawn:
            gone.set()

    async def receive() -> Any:
        await asyncio.Event().wait()

    stream = await world.streams.open(None)
    async with asyncio.timeout(DEADLINE_S):
        await EventStream(stream, caller)({"extensions": {}}, receive, send)
    assert sent[0]["status"] == 200
    assert sent[-1] == END
    assert len(world.streams) == 0
