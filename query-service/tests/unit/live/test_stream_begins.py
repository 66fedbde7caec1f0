"""Where a stream of changes begins, and what comes first."""

import asyncio
from typing import Any

import pytest

from notes_query.application.changes.log import ChangeLog
from notes_query.application.changes.position import Position, encode, fingerprint
from notes_query.application.errors import Busy, InvalidCursor
from notes_query.entrypoints.live import hub as hub_module

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
    monkeypatch.setattr(hub_module, "ChangeLog", lambda start: ChangeLog(start, most=4))
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
        assert world.hub.readers._value == 8


async def test_too_many_who_catch_up_are_sent_away(world: Any, connect: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("notes_query.entrypoints.live.streams.READER_WAIT_S", 0.01)
    world.hub.readers = asyncio.Semaphore(1)
    world.event("a", 1)
    old = encode(Position(fingerprint("events"), (0, 0, 0)))
    async with connect(world):
        async with connect(world, old):
            with pytest.raises(Busy):
                await world.streams.open(old)
        async with connect(world, old) as again:
            assert world.names(await again.some(1)) == [("a", 1)]
    assert len(world.streams) == 0


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
        Position(fingerprint("events"), (2, 0, 0)),
        Position(fingerprint("events"), (4, 0, 0), ((0, 1),)),
        Position(fingerprint("events"), (9, 0, 0)),  # of a topic of this name that was longer
        Position(fingerprint("events"), (4, 0)),
        Position(fingerprint("others"), (4, 0, 0)),
    ):
        async with connect(world, encode(position)) as one:
            (reset,) = await one.some(1)
            assert reset.name == "reset"
            assert reset.data["reason"]
            assert reset.id == encode(Position(fingerprint("events"), (5, 0, 0)))
    async with connect(world, encode(Position(fingerprint("events"), (3, 0, 0)))) as good:
        assert world.names(await good.some(2)) == [("a", 4), ("a", 5)]


async def test_a_text_that_is_no_id_is_refused(world: Any, connect: Any):
    with pytest.raises(InvalidCursor):
        await world.streams.open("nonsense")
