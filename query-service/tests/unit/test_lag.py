"""What is told of a group's progress."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from aiokafka import ConsumerRecord
from query_support.fixtures import Samples
from query_support.memory_progress import MemoryProgress

from notes_chassis.kafka.lag import Progress, Tracker
from notes_query.monitoring import metrics
from notes_query.monitoring.feed_progress import Feed, Feeds
from notes_query.monitoring.lag import Freshness, look_together
from notes_query.projecting.counts import Counts

SECOND = timedelta(seconds=1)


class Clock:
    def __init__(self, now: datetime) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock(samples: Samples) -> Clock:
    return Clock(samples.start)


@pytest.fixture
def tracker(clock: Clock) -> Tracker:
    return Tracker("group", clock)


async def never(_: Any) -> Counts:
    raise AssertionError


def store(tracker: Tracker, samples: Samples, offset: int, written: datetime) -> None:
    tracker.stored([samples.raw(b"", offset=offset)], lambda _: written)


def look(tracker: Tracker, position: int, end: int, *, busy: bool = False) -> Progress:
    tracker.look({0: position}, {0: end}, busy=busy, asked=tracker.clock())
    return tracker._now[0]


def test_what_is_stored_counts_and_not_what_was_handed_out(samples: Samples, tracker: Tracker, clock: Clock):
    look(tracker, 10, 10)
    clock.now += SECOND

    before = look(tracker, 15, 15, busy=True)
    assert (before.position, before.at) == (10, samples.start)  # handed out, and nobody has shown it yet

    tracker.taken([samples.raw(b"", offset=at) for at in range(10, 15)])
    for _ in range(3):  # as long as it takes
        seen = look(tracker, 15, 15, busy=True)
        assert (seen.position, seen.records, seen.through) == (10, 5, samples.start)

    store(tracker, samples, 11, clock.now)
    clock.now += 2 * SECOND
    seen = look(tracker, 15, 15, busy=True)
    assert (seen.position, seen.records, seen.through) == (12, 3, clock.now - 2 * SECOND)
    assert tracker.behind() == (3, 2.0)


def test_a_partition_without_records_is_known_though_others_keep_the_consumer_busy(samples: Samples, tracker: Tracker):
    tracker.taken([samples.raw(b"", offset=7)])

    tracker.look({0: 8, 1: 0}, {0: 9, 1: 0}, busy=True, asked=tracker.clock())

    assert [(seen.partition, seen.records) for seen in tracker.unsaved()] == [(0, 2), (1, 0)]


def test_a_marker_at_the_end_is_no_lag_once_nothing_is_in_hand(samples: Samples, tracker: Tracker, clock: Clock):
    store(tracker, samples, 11, clock.now)

    assert look(tracker, 13, 13, busy=True).records == 1
    assert look(tracker, 13, 13).records == 1
    assert look(tracker, 13, 13).records == 0


def test_the_age_is_that_since_nothing_was_left_or_of_the_last_record_stored(
    samples: Samples, tracker: Tracker, clock: Clock
):
    look(tracker, 10, 10)
    clock.now += 5 * SECOND
    assert (clock.now - look(tracker, 10, 11).through) == 5 * SECOND

    store(tracker, samples, 20, clock.now - SECOND)
    assert (clock.now - look(tracker, 21, 30).through) == SECOND

    store(tracker, samples, 21, clock.now + timedelta(days=1))  # a producer's clock is anything
    assert look(tracker, 22, 30).through == clock.now


def test_only_news_are_saved_and_everything_now_and_then(tracker: Tracker, clock: Clock):
    look(tracker, 10, 20)
    news = tracker.unsaved()
    tracker.saved(news)
    clock.now += SECOND
    look(tracker, 10, 20)
    assert (len(news), tracker.unsaved()) == (1, [])

    clock.now += 5 * SECOND
    look(tracker, 10, 20)
    assert len(tracker.unsaved()) == 1


async def test_what_is_not_looked_at_any_more_is_not_told_again(clock: Clock):
    """Its partitions may be another process's by now, which tells how far they are."""
    store = MemoryProgress()
    feeds = Feeds(store)
    frozen, looked_at = (Feed(name, name, never, lambda: False, clock) for name in ("frozen", "looked at"))
    with feeds.watching(frozen), feeds.watching(looked_at):
        for feed in (frozen, looked_at):
            look(feed.tracker, 10, 20)
        await feeds.step()
        (told,) = await store.of("frozen")
        theirs = told._replace(position=15)
        await store.save([theirs])
        clock.now += SECOND
        look(looked_at.tracker, 12, 20)
        await feeds.step()

    assert await store.of("frozen") == [theirs]
    assert [seen.position for seen in await store.of("looked at")] == [12]


async def stored(_: Any) -> Counts:
    return Counts(applied=1)


@pytest.mark.parametrize("time", [b"0001-01-01T00:00:00+10:00", b"9999-12-31T23:59:59-10:00", b"\xff", None])
async def test_a_time_that_is_none_does_not_have_a_batch_stored_again(
    samples: Samples, clock: Clock, time: bytes | None
):
    feed = Feed("notes", "group", stored, lambda: True, clock)

    assert await feed([samples.raw(b"", ce_time=time)]) == Counts(applied=1)


async def test_what_cannot_be_counted_is_stored_all_the_same(
    samples: Samples, clock: Clock, monkeypatch: pytest.MonkeyPatch
):
    def fail(*_: Any) -> None:
        raise RuntimeError

    for name in ("count", "RECEIVED_SECONDS"):
        monkeypatch.setattr(metrics, name, fail)
    feed = Feed("notes", "group", stored, lambda: True, clock)
    record = ConsumerRecord("events", 0, 4, 1_000, 0, None, b"", None, -1, 0, ())

    assert await feed([record]) == Counts(applied=1)
    assert look(feed.tracker, 5, 5).position == 5


def test_what_others_read_now_is_forgotten(tracker: Tracker):
    look(tracker, 10, 20)

    tracker.look({1: 0}, {1: 0}, busy=False, asked=tracker.clock())

    assert [seen.partition for seen in tracker.unsaved()] == [1]


@pytest.mark.parametrize(
    ("through_s", "records", "said_s_ago", "seconds"),
    [
        (0, 0, 0, 0.0),
        (3, 0, 3, 0.0),  # nothing was left, three seconds ago: whoever feeds it is silent while nothing changes
        (30, 0, 30, 30.0),  # nobody feeds it
        (4, 7, 1, 4.0),
        (None, 7, 1, None),  # at the beginning, of a topic whose age nobody has told
    ],
)
async def test_readers_are_told_the_longest_of_all_partitions(
    *, clock: Clock, through_s: int | None, records: int, said_s_ago: int, seconds: float | None
):
    store = MemoryProgress()
    freshness = Freshness(lambda: "group", lambda: 2, clock)
    started = datetime.fromtimestamp(0, clock.now.tzinfo)
    through = started if through_s is None else clock.now - through_s * SECOND
    fresh = Progress("group", 0, 5, 5, clock.now, clock.now)
    await store.save([fresh])
    await look_together([freshness], store)
    assert freshness.seconds() is None  # nobody says anything of the other partition

    await store.save([Progress("group", 1, 5, 5 + records, through, clock.now - said_s_ago * SECOND)])
    await look_together([freshness], store)

    assert freshness.seconds() == seconds
    assert freshness.through() == (None if through_s is None else through)


async def test_a_partition_that_the_topic_got_later_is_not_taken_to_be_read(clock: Clock):
    store, partitions = MemoryProgress(), 1
    freshness = Freshness(lambda: "group", lambda: partitions, clock)
    await store.save([Progress("group", 0, 5, 5, clock.now, clock.now)])
    await look_together([freshness], store)
    assert freshness.seconds() == 0.0

    partitions = 2

    assert freshness.seconds() is None
    assert freshness.through() is None


@pytest.mark.parametrize("own", [0, 3])
async def test_a_partition_that_is_gone_is_not_waited_for_nor_taken_for_another(*, clock: Clock, own: int):
    """The topic was made anew with fewer of them; what was told of those stays for a day."""
    store = MemoryProgress()
    freshness = Freshness(lambda: "group", lambda: 3, clock)
    gone = Progress("group", 5, 5, 9, clock.now - 3_600 * SECOND, clock.now - 3_600 * SECOND)
    there = [Progress("group", at, 5, 5, clock.now, clock.now) for at in range(3)]
    fed_here = {"group": [gone, *there[1:]][:own]}.__getitem__
    await store.save([gone, *there[1:]])
    await look_together([freshness], store, fed_here)
    assert (freshness.seconds(), freshness.through()) == (None, None), "nobody says anything of the first one"

    await store.save(there)
    await look_together([freshness], store, fed_here)

    assert (freshness.seconds(), freshness.through()) == (0.0, clock.now)


async def test_who_feeds_a_group_alone_asks_nobody_how_far_it_is(clock: Clock):
    class Nobody(MemoryProgress):
        async def of(self, *groups: str) -> list[Progress]:
            raise AssertionError(groups)

    store, here = MemoryProgress(), [Progress("group", at, 5, 7, clock.now - 4 * SECOND, clock.now) for at in (0, 1)]
    freshness = Freshness(lambda: "group", lambda: 2, clock)
    await look_together([freshness, Freshness(lambda: None, lambda: 2, clock)], Nobody(), {"group": here}.__getitem__)
    assert freshness.seconds() == 4.0
    await store.save([one._replace(end=5) for one in here])
    await look_together([freshness], store, {"group": here[:1]}.__getitem__)
    assert freshness.seconds() == 0.0, "the other partition is read elsewhere"
