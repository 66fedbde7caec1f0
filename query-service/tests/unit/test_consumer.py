import asyncio
from typing import Any

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, KafkaConnectionError

from notes_query.application.errors import StoreUnavailable
from notes_query.application.fold_batch import Counts
from notes_query.entrypoints.consumer import consumer as module
from notes_query.entrypoints.consumer.consumer import BatchConsumer
from notes_query.entrypoints.consumer.offsets import OffsetGuard
from notes_query.entrypoints.consumer.rebalance import Rebalance
from notes_query.entrypoints.health import Health

AT = TopicPartition("events", 0)


class FakeConsumer:
    """What is used of aiokafka's."""

    def __init__(self) -> None:
        self.position: dict[TopicPartition, int] = {}
        self.commits: list[dict[TopicPartition, int]] = []
        self.sought: list[int] = []
        self.beginning = 0
        self.refusals: list[Exception] = []

    async def committed(self, at: TopicPartition) -> int | None:
        return self.position.get(at)

    async def beginning_offsets(self, partitions: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(partitions, self.beginning)

    def seek(self, _: TopicPartition, offset: int) -> None:
        self.sought.append(offset)

    async def commit(self, offsets: dict[TopicPartition, int]) -> None:
        if self.refusals:
            raise self.refusals.pop(0)
        self.commits.append(offsets)


class Batches:
    """A consumer whose processing fails as told, and what became of it."""

    def __init__(self) -> None:
        self.kafka = FakeConsumer()
        self.failures: list[Exception] = []
        self.done: list[int] = []
        guard = OffsetGuard()
        self.rebalance = Rebalance(guard, at_most_s=5)
        self.health = Health()
        self.consumer = BatchConsumer("core", self.process, guard, self.rebalance, self.health, lambda: self.kafka)

    async def handle(self, records: Any) -> None:
        await self.consumer.handle(records)
        await self.rebalance.settled()

    async def process(self, records: Any) -> Counts:
        if self.failures:
            raise self.failures.pop(0)
        self.done += [record.offset for record in records]
        return Counts(applied=len(records))


@pytest.fixture
def batches(monkeypatch: Any) -> Batches:
    monkeypatch.setattr("notes_chassis.backoff.FIRST_S", 0.001)
    monkeypatch.setattr("notes_chassis.backoff.CAP_S", 0.002)
    return Batches()


def batch(samples: Any, *offsets: int) -> Any:
    return tuple(samples.raw(b"", offset=offset) for offset in offsets)


async def test_the_offsets_of_the_batch_are_committed_after_it_is_stored(samples: Any, batches: Batches):
    other = tuple(record._replace(partition=1) for record in batch(samples, 0, 1))

    await batches.handle(batch(samples, 0, 1, 2) + other)

    assert batches.done == [0, 1, 2, 0, 1]
    assert batches.kafka.commits == [{AT: 3, TopicPartition("events", 1): 2}]


@pytest.mark.parametrize("failure", [StoreUnavailable("away"), ZeroDivisionError("a bug"), KafkaConnectionError()])
async def test_a_batch_is_tried_until_it_is_stored_and_nothing_is_committed_before(
    samples: Any, batches: Batches, failure: Exception
):
    batches.failures = [failure] * 3

    await batches.handle(batch(samples, 0, 1))

    assert batches.done == [0, 1]
    assert batches.kafka.commits == [{AT: 2}]
    assert batches.health.parts["core"].ok


async def test_partitions_given_away_end_the_wait_without_a_commit(samples: Any, batches: Batches):
    batches.failures = [StoreUnavailable("away")] * 1000
    handling = asyncio.create_task(batches.consumer.handle(batch(samples, 0)))
    while "core" not in batches.health.parts:
        await asyncio.sleep(0)
    assert not batches.health.parts["core"].ok

    async with asyncio.timeout(2):
        await batches.rebalance.on_partitions_revoked({AT})
        await handling

    assert batches.kafka.commits == []
    batches.failures = []
    await batches.handle(batch(samples, 0))  # read before, handed out now: not ours any more
    assert batches.done == []


async def test_revoking_waits_for_the_batch_in_flight_through_its_commit(samples: Any, batches: Batches):
    go_on, started = asyncio.Event(), asyncio.Event()

    async def slow(records: Any) -> Counts:
        started.set()
        await go_on.wait()
        return Counts(applied=len(records))

    batches.consumer.process = slow
    handling = asyncio.create_task(batches.consumer.handle(batch(samples, 0)))
    await started.wait()
    revoking = asyncio.create_task(batches.rebalance.on_partitions_revoked({AT}))
    await asyncio.sleep(0)
    assert not revoking.done()
    go_on.set()

    await revoking
    assert batches.kafka.commits == [{AT: 1}]
    await handling


async def test_a_batch_that_starts_too_late_is_read_again_and_not_processed(samples: Any, batches: Batches):
    batches.kafka.position[AT] = 5

    await batches.handle(batch(samples, 8, 9))
    assert (batches.done, batches.kafka.sought, batches.kafka.commits) == ([], [5], [])

    await batches.handle(batch(samples, 8, 9))
    assert (batches.done, batches.kafka.commits) == ([8, 9], [{AT: 10}])


async def test_a_new_group_must_begin_at_the_beginning(samples: Any, batches: Batches):
    await batches.handle(batch(samples, 2))

    assert (batches.done, batches.kafka.sought) == ([], [0])


async def test_what_retention_has_removed_is_counted_as_lost(samples: Any, batches: Batches):
    batches.kafka.position[AT] = 5
    batches.kafka.beginning = 7
    before = module.metrics.LOST.labels("core")._value.get()

    await batches.handle(batch(samples, 8))
    await batches.handle(batch(samples, 8))

    assert module.metrics.LOST.labels("core")._value.get() - before == 2


async def test_a_refused_commit_is_tried_again_or_left_to_a_later_delivery(samples: Any, batches: Batches):
    batches.kafka.refusals = [KafkaConnectionError()]
    await batches.handle(batch(samples, 0))
    assert batches.kafka.commits == [{AT: 1}]

    batches.kafka.refusals = [CommitFailedError("gone")]
    await batches.handle(batch(samples, 1))
    assert batches.kafka.commits == [{AT: 1}]
    assert batches.rebalance.idle.is_set()


async def test_it_gives_way_while_a_lane_that_matters_more_is_behind(batches: Batches, samples: Any):
    behind = True
    batches.consumer.gives_way = lambda: behind
    handling = asyncio.create_task(batches.consumer.handle(batch(samples, 0, 1)))
    async with asyncio.timeout(5):
        while not batches.consumer.waiting:
            await asyncio.sleep(0)
    assert batches.done == []
    behind = False
    await handling

    assert batches.done == [0, 1]
    assert not batches.consumer.waiting


async def test_it_does_not_give_way_for_ever(batches: Batches, samples: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "GIVE_WAY_S", 0.1)
    batches.consumer.gives_way = lambda: True
    async with asyncio.timeout(5):
        await batches.handle(batch(samples, 0))

    assert batches.done == [0]


async def test_batches_do_not_wait_for_commits_of_which_one_is_under_way_at_a_time(samples: Any, batches: Batches):
    commit, answered = batches.kafka.commit, asyncio.Event()

    async def committing(offsets: dict[TopicPartition, int]) -> None:
        await answered.wait()
        await commit(offsets)

    batches.kafka.commit = committing  # type: ignore[method-assign]
    for offset in range(3):
        await batches.consumer.handle(batch(samples, offset))
        await asyncio.sleep(0)  # lets the first commit begin
    assert batches.done == [0, 1, 2]
    assert not batches.rebalance.idle.is_set(), "a rebalance waits for what is not committed"
    answered.set()
    await batches.rebalance.settled()
    assert batches.kafka.commits == [{AT: 1}, {AT: 3}]


async def test_a_bug_in_a_commit_does_not_end_committing(samples: Any, batches: Batches):
    batches.kafka.refusals = [RuntimeError("?")]
    await batches.handle(batch(samples, 0))
    await batches.handle(batch(samples, 1))
    assert batches.kafka.commits == [{AT: 2}]


async def test_a_lane_is_under_load_for_a_moment_after_a_large_batch(batches: Batches, samples: Any, monkeypatch: Any):
    monkeypatch.setattr(module, "PRESSED_S", 60.0)
    await batches.handle(batch(samples, *range(module.MANY - 1)))
    assert not batches.consumer.pressed
    await batches.handle(batch(samples, *range(module.MANY - 1, 2 * module.MANY)))
    assert batches.consumer.pressed
    monkeypatch.setattr(module, "PRESSED_S", 0.0)
    await batches.handle(batch(samples, *range(2 * module.MANY, 3 * module.MANY)))
    assert not batches.consumer.pressed
