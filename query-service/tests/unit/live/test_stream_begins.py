"""Where a stream of changes begins, and what comes first."""

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from notes_query.errors import Busy, InvalidCursor
from notes_query.live import hub as hub_module
from notes_query.live import stream as stream_module
from notes_query.live import streams as streams_module
from notes_query.live.change_log import ChangeLog
from notes_query.live.position import StreamPosition, encode, fingerprint

DEADLINE_S = 10


async def test_changes_come_from_now_on_and_only_once_their_documents_are_there(world: Any, connect: Any):
    world.event("a", 1)
    async with connect(world) as one:
        world.event("b", 1, visible=False)
        world.event("c", 1, 1)
        assert world.names(await one.some(1)) == [("c", 1)]
        world.visible("b", 1)
        assert world.names(await one.some(1)) == [("b", 1)]


async def test_a_client_goes_on_where_it_was_though_nothing_had_happened_until_then(world: Any, connect: Any):
    async with connect(world) as one:
        last = await one.begun()
    world.event("a", 1)
    world.event("b", 1, 1)
    async with connect(world, last) as again:
        assert world.names(await again.some(2)) == [("a", 1), ("b", 1)]


async def test_another_instance_knows_the_id_and_repeats_nothing(world: Any, connect: Any):
    async with connect(world) as one:
        for number in range(1, 20):
            world.event("a", number, 2)
        events = await one.some(19)
    other = world.instance()
    running = asyncio.create_task(other.hub.run())
    async with connect(other, events[8].id) as two:
        assert other.names(await two.some(10)) == [("a", version) for version in range(10, 20)]
        other.event("b", 1)
        assert other.names(await two.some(1)) == [("b", 1)]
    running.cancel()
    await asyncio.wait([running])


async def test_who_is_further_back_than_the_log_reads_the_topic_and_joins(
    world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(hub_module, "ChangeLog", lambda start: ChangeLog(start, max_entries=4))
    async with connect(world) as one:
        start = await one.begun()
        for version in range(1, 31):
            world.event("a", version, version % 3)
            await one.some(1)
        async with connect(world, start) as two:
            assert len(await two.some(30)) == 30
            world.event("b", 1)
            assert world.names(await two.some(1)) == [("b", 1)]
            assert world.topic.readers == 1  # its own one is gone
        assert len(world.streams.readers) == 0


async def test_slow_clients_who_catch_up_cost_only_themselves(
    world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(stream_module, "UNUSED_S", 0.03)
    monkeypatch.setattr(stream_module, "UNUSED_CHECK_S", 0.01)
    world.streams.readers.at_once = 2
    for version in range(1, 250):
        world.event("a", version)
    old = encode(StreamPosition(fingerprint("events"), (0, 0, 0)))
    async with connect(world), AsyncExitStack() as slow_ones:
        for _ in range(12):
            slow = await slow_ones.enter_async_context(connect(world, old))
            await slow.some(1)  # takes one chunk, and no more
        async with connect(world, old) as quick:
            assert world.names(await quick.some(249)) == [("a", version) for version in range(1, 250)]
        # Whose reader was taken away goes on where it was.
        assert world.names(await slow.some(248)) == [("a", version) for version in range(2, 250)]
        assert world.topic.readers <= 3
    assert len(world.streams.readers) == len(world.streams) == 0


async def test_who_waits_for_a_reader_hears_heartbeats_and_gets_its_turn(
    world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
):
    """A client that takes all and is never done, as far back as it is, gives its reader back in time."""
    monkeypatch.setattr(stream_module, "TURN_S", 0.3)
    world.streams.readers.at_once, world.streams.heartbeat_s = 1, 0.05
    world.event("b", 2, visible=False)  # nobody can join the log before it
    old = encode(StreamPosition(fingerprint("events"), (0, 0, 0)))
    async with connect(world), connect(world, old) as one, connect(world, old) as two:
        world.event("a", 1)
        assert world.names(await one.some(1)) == [("a", 1)]
        taking = asyncio.create_task(one.some(1))
        await asyncio.sleep(0)
        assert world.names(await two.some(1)) == [("a", 1)]
        assert two.heartbeats > 0
        world.visible("b", 2)
        assert world.names(await taking) == [("b", 2)]


async def test_when_half_of_the_streams_are_behind_the_slowest_makes_room(
    world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
):
    world.streams.most = 4
    for version in range(1, 250):
        world.event("a", version)
    old = encode(StreamPosition(fingerprint("events"), (0, 0, 0)))
    async with connect(world), connect(world, old) as one, connect(world, old) as two:
        for slow in (one, two):
            await slow.some(1)
        with pytest.raises(Busy):
            await world.streams.open(old)
        monkeypatch.setattr(streams_module, "SLOW_S", 0.0)
        async with connect(world, old):
            pass
        cut = [each.stream.was_cut.is_set() for each in (one, two)]
    assert (cut, world.slow) == ([True, False], 1)


async def test_a_topic_may_have_any_number_of_partitions_and_get_more(
    world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("notes_query.live.follower.CHECK_S", 0.05)
    monkeypatch.setattr("notes_query.live.follower.IDLE_S", 0.05)
    world.event("a", 1)
    async with connect(world) as one:
        before = await one.begun()
        world.topic.first.append(0)
        world.topic.logs.append([])
        world.event("b", 1, 3)
        assert world.names(await one.some(1)) == [("b", 1)]
        world.event("c", 1)
        assert world.names(await one.some(1)) == [("c", 1)]
        async with connect(world, before) as again:
            assert sorted(world.names(await again.some(2))) == [("b", 1), ("c", 1)]
    other = world.instance()
    running = asyncio.create_task(other.hub.run())
    async with connect(other, before) as two:
        assert sorted(world.names(await two.some(2))) == [("b", 1), ("c", 1)]
    running.cancel()
    await asyncio.wait([running])


async def test_too_many_streams_are_refused(world: Any, connect: Any):
    world.streams.most = 1
    async with connect(world):
        with pytest.raises(Busy):
            await world.streams.open(None)
    async with connect(world):
        pass


async def test_an_id_older_than_the_topic_or_of_another_one_begins_with_a_reset(world: Any, connect: Any):
    for version in range(1, 6):
        world.event("a", version)
    world.topic.truncate(0, 3)
    for position in (
        StreamPosition(fingerprint("events"), (2, 0, 0)),
        StreamPosition(fingerprint("events"), (4, 0, 0), ((0, 1),)),
        StreamPosition(fingerprint("events"), (9, 0, 0)),  # of a topic of this name that was longer
        StreamPosition(fingerprint("events"), (4, 0, 0, 0)),  # of one that had more partitions
        StreamPosition(fingerprint("others"), (4, 0, 0)),
    ):
        async with connect(world, encode(position)) as one:
            (reset,) = await one.some(1)
            assert reset.name == "reset"
            assert reset.data["reason"]
            assert reset.id == encode(StreamPosition(fingerprint("events"), (5, 0, 0)))
    async with connect(world, encode(StreamPosition(fingerprint("events"), (3, 0, 0)))) as good:
        assert world.names(await good.some(2)) == [("a", 4), ("a", 5)]


async def test_a_text_that_is_no_id_is_refused(world: Any, connect: Any):
    with pytest.raises(InvalidCursor):
        await world.streams.open("nonsense")
