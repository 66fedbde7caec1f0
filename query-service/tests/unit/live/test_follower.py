"""When documents are looked for, and when the position passes what will not come."""

import asyncio
from collections.abc import Collection
from typing import Any

import pytest
from query_support.fixtures import Samples
from query_support.memory_topic import MemoryTopic
from structlog.testing import capture_logs

from notes_query.errors import StoreUnavailable, TopicUnavailable
from notes_query.live import follower as follower_module
from notes_query.live.follower import CATCHING_UP, CROWDED, GAP_S, LIVE, Follower
from notes_query.live.pending_changes import ASIDE_AFTER_S, PendingChanges
from notes_query.live.position import StreamPosition, fingerprint
from notes_query.projecting.project_events import decode_event
from notes_query.projecting.waiters import Level


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Return the seconds."""
        return self.now


class World:
    """A follower at the beginning of a topic of one partition."""

    def __init__(self, samples: Samples) -> None:
        self.samples = samples
        self.topic = MemoryTopic(partitions=1)
        self.clock = Clock()
        self.documents: dict[str, int] = {}
        self.asked: list[list[str]] = []
        self.passed_asked = 0
        self.committed: dict[int, int] | None = {}
        self.store_away = False

    async def follower(self) -> Follower:
        """Return it."""
        tail = await self.topic.tail()
        pending = PendingChanges(StreamPosition(fingerprint(self.topic.name), (0,)))
        tail.seek(pending.read)
        return Follower(tail, pending, self.levels, self.passed, self.clock)

    async def levels(self, notes: Collection[str]) -> list[Level]:
        self.asked.append(list(notes))
        if self.store_away:
            raise StoreUnavailable("away")
        return [Level(note, self.documents[note]) for note in notes if note in self.documents]

    async def passed(self) -> dict[int, int]:
        self.passed_asked += 1
        if self.committed is None:
            raise TopicUnavailable("away")
        return self.committed

    def event(self, note: str, version: int) -> None:
        """Put an event on the topic."""
        self.topic.append(0, self.samples.record(self.samples.updated(self.samples.id(note), version)))

    def steady(self, version: int) -> None:
        """Put an event of another note on the topic, whose document is there."""
        self.event("steady", version)
        self.documents[self.samples.id("steady")] = version


@pytest.fixture
def world(samples: Samples, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr(follower_module, "LONGEST_PAUSE_S", 0.005)
    return World(samples)


async def test_a_parked_note_is_passed_in_time_though_others_keep_changing(world: World):
    follower = await world.follower()
    world.event("parked", 2)
    world.committed = {0: 1}
    version = 0
    while world.clock.now < ASIDE_AFTER_S + 3 * LIVE.passed_every_s:
        version += 1
        world.steady(version)
        sent = await follower.step()
        assert [one.change.version for one in sent] == [version]
        world.clock.now += 1.0
    assert (len(follower.pending.aside), follower.pending.waiting) == (1, 0)
    assert follower.pending.position.next == (version + 1,)
    assert world.passed_asked <= world.clock.now / LIVE.passed_every_s + 1

    world.documents[world.samples.id("parked")] = 2
    world.clock.now += 1.0
    (late,) = await follower.step()
    assert late.late


@pytest.mark.parametrize("committed", [{}, {0: 0}, None], ids=["nothing", "behind", "away"])
async def test_nothing_is_passed_while_the_projector_is_behind_or_nobody_can_tell(world: World, committed: Any):
    follower = await world.follower()
    world.event("late", 1)
    world.committed = committed
    for _ in range(40):
        await follower.step()
        world.clock.now += LIVE.passed_every_s
    assert world.passed_asked > 30
    assert follower.pending.position.next == (0,)


async def test_nothing_is_passed_while_nobody_can_see_the_documents(world: World):
    """Who catches up is told of everything, though the projector was done with it long before MongoDB went."""
    follower = await world.follower()
    follower.pace = CATCHING_UP
    world.event("old", 1)
    world.committed = {0: 1}
    for _ in range(3):  # asked for, and the projector with it: its time has begun
        await follower.step()
        world.clock.now += CATCHING_UP.passed_every_s * 0.6
    world.store_away = True
    for _ in range(10):
        with pytest.raises(StoreUnavailable):
            await follower.step()
        world.clock.now += CATCHING_UP.aside_after_s
    assert (len(follower.pending.aside), follower.pending.position.next) == (0, (0,))

    world.store_away = False
    await follower.step()
    world.clock.now += CATCHING_UP.passed_every_s
    await follower.step()
    assert not follower.pending.aside  # the time begins anew
    world.documents[world.samples.id("old")] = 1
    world.clock.now += CATCHING_UP.aside_after_s
    assert [one.change.version for one in await follower.step()] == [1]


async def test_documents_are_not_asked_for_with_every_single_event(world: World):
    follower = await world.follower()
    world.event("late", 1)
    await follower.step()
    world.event("late", 2)
    began = asyncio.get_running_loop().time()
    await follower.step()
    assert asyncio.get_running_loop().time() - began >= GAP_S * 0.9
    assert len(world.asked) == 2


async def test_reading_stops_while_too_much_waits(world: World, monkeypatch: pytest.MonkeyPatch):
    most = 2 * CROWDED + 100  # no whole number of what is read at once
    monkeypatch.setattr(follower_module, "MAX_WAITING", most)
    follower = await world.follower()
    for version in range(1, most + 601):
        world.event("late", version)
    while follower.reading:
        world.clock.now += 1.0
        await follower.step()
    world.clock.now += 1.0
    await follower.step()
    assert follower.pending.read == [most]
    world.documents[world.samples.id("late")] = most + 600
    sent = []
    while len(sent) < most + 600:
        world.clock.now += 1.0
        sent += await follower.step()
    assert [one.change.version for one in sent] == list(range(1, most + 601))


async def test_events_of_a_parked_note_hold_up_nobody_however_many_they_are(world: World):
    """Thousands that will not come are soon set aside, the latest hundred of a note kept for when it heals."""
    follower = await world.follower()
    for version in range(2, CROWDED + 500):
        world.event("parked", version)
    world.committed = {0: CROWDED + 498}
    read = 0
    while follower.pending.waiting or not read:
        world.clock.now += 0.5
        await follower.step()
        read = follower.pending.read[0]
        assert follower.reading
    assert world.clock.now < 10
    assert (len(follower.pending.aside), follower.pending.position.next) == (100, (CROWDED + 498,))

    world.steady(1)
    world.clock.now += 1.0
    assert [one.change.version for one in await follower.step()] == [1]
    world.documents[world.samples.id("parked")] = CROWDED + 499
    world.clock.now += 1.0
    late = await follower.step()
    assert [one.change.version for one in late] == list(range(CROWDED + 400, CROWDED + 500))
    assert all(one.late for one in late)
    assert not follower.pending.aside


async def test_a_record_that_decoding_stumbles_over_holds_up_nobody(world: World, monkeypatch: pytest.MonkeyPatch):
    def decode(record: Any) -> Any:
        if record.offset == 0:
            raise RecursionError(record.value)
        return decode_event(record)

    monkeypatch.setattr(follower_module, "decode_event", decode)
    follower = await world.follower()
    world.event("odd", 1)
    world.steady(1)
    with capture_logs() as logged:
        sent = await follower.step()
    assert [one.change.offset for one in sent] == [1]
    assert follower.pending.position.next == (2,)
    assert [(line["log_level"], line["offset"]) for line in logged] == [("error", 0)]
