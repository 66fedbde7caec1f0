"""From a batch's arrival to the commit of its offsets: whatever goes wrong, no record is passed over."""

import asyncio
from collections.abc import Sequence

import pytest
from aiokafka import TopicPartition
from aiokafka.errors import CommitFailedError, IllegalStateError, KafkaConnectionError
from command_support.builders import TOPIC
from command_support.fake_consumer import FakeConsumer
from command_support.kafka_records import Record, record
from command_support.waiting import until

from notes_chassis.backoff import Backoff
from notes_command.adapters.kafka.decode import decode
from notes_command.application.incoming import Incoming
from notes_command.application.ports import Unavailable
from notes_command.application.process_batch import BadDeploy
from notes_command.application.result import Result
from notes_command.entrypoints import metrics
from notes_command.entrypoints.consumer.consumer import COMMIT_TRIES, CommandConsumer
from notes_command.entrypoints.consumer.offsets import OffsetGuard
from notes_command.entrypoints.consumer.rebalance import Rebalance
from notes_command.entrypoints.health import Health

ONE, TWO = TopicPartition(TOPIC, 1), TopicPartition(TOPIC, 2)


class Processed:
    """A processor that raises what it is told to, and keeps what it was given otherwise."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.batches: list[list[tuple[int, int]]] = []

    async def process(self, batch: Sequence[Incoming]) -> list[Result]:
        if self.errors:
            raise self.errors.pop(0)
        self.batches.append([(one.source.partition, one.source.offset) for one in batch])
        return [Result()]


class Loop:
    """The command consumer with a fake Kafka below and a fake store behind."""

    def __init__(self, *offsets: tuple[TopicPartition, int], errors: Sequence[Exception] = ()) -> None:
        self.kafka = FakeConsumer([log_record(partition, offset) for partition, offset in offsets])
        self.processor, self.stored = Processed(*errors), 0
        guard = OffsetGuard()
        self.rebalance, self.health = Rebalance(guard, at_most_s=5), Health()
        self.overdue: set[int] = set()
        self.commands = CommandConsumer(
            decode=decode,
            processor=self.processor,
            guard=guard,
            rebalance=self.rebalance,
            health=self.health,
            stored=self._stored,
            overdue=lambda: self.overdue,
            consumer=self.kafka,
        )

    def _stored(self) -> None:
        self.stored += 1

    async def turn(self, limit: int = 500) -> None:
        await self.commands.handle(self.kafka.fetch(limit))
        await self.rebalance.settled()


def log_record(partition: TopicPartition, offset: int) -> Record:
    return record(b"{}", partition=partition.partition, offset=offset)


@pytest.fixture(autouse=True)
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Backoff, "next", lambda _: 0.0)


async def test_exactly_the_offsets_of_the_batch_are_committed() -> None:
    loop = Loop((ONE, 0), (ONE, 1), (TWO, 0), (TWO, 1))
    await loop.turn(limit=3)
    assert loop.processor.batches == [[(1, 0), (1, 1), (2, 0)]]
    assert loop.kafka.commits == [{ONE: 2, TWO: 1}]
    assert loop.stored == 1


async def test_a_batch_that_mixes_partitions_is_processed_partition_by_partition() -> None:
    loop = Loop((TWO, 0), (ONE, 0), (TWO, 1), (ONE, 1))
    await loop.turn()
    assert loop.processor.batches == [[(2, 0), (2, 1), (1, 0), (1, 1)]]


async def test_an_exception_seeks_back_and_commits_nothing() -> None:
    loop = Loop((ONE, 4), (ONE, 5), (TWO, 7), errors=[RuntimeError("a bug in the pipeline")])
    loop.kafka.committed_offsets = {ONE: 4, TWO: 7}
    await loop.turn()
    assert (loop.kafka.commits, loop.stored) == ([], 0)
    assert loop.kafka.positions == {ONE: 4, TWO: 7}
    await loop.turn()
    assert loop.processor.batches == [[(1, 4), (1, 5), (2, 7)]]
    assert loop.rebalance.idle.is_set()


async def test_seeking_back_on_a_partition_that_is_gone_is_no_harm() -> None:
    loop = Loop((ONE, 0), errors=[RuntimeError("?")])
    loop.kafka.seek_error = IllegalStateError("not assigned")
    await loop.turn()
    assert loop.kafka.commits == []


async def test_records_that_were_skipped_are_read_again() -> None:
    loop = Loop(*((ONE, offset) for offset in range(4)), (TWO, 0))
    rewinds = metrics.REWINDS._value.get()
    loop.kafka.positions[ONE] = 2  # a fetch that raised had drained 0 and 1
    await loop.turn()
    assert loop.processor.batches == [[(2, 0)]], "the other partition goes on"
    assert loop.kafka.commits == [{TWO: 1}]
    await loop.turn()
    assert loop.processor.batches[1] == [(1, 0), (1, 1), (1, 2), (1, 3)]
    assert metrics.REWINDS._value.get() == rewinds + 1


async def test_a_batch_of_nothing_but_skipped_partitions_commits_nothing() -> None:
    loop = Loop((ONE, 0), (ONE, 1))
    loop.kafka.positions[ONE] = 1
    await loop.turn()
    assert (loop.kafka.commits, loop.processor.batches) == ([], [])


async def test_a_hole_is_crossed_and_counted_but_not_as_a_loss() -> None:
    loop = Loop((ONE, 3), (ONE, 4))
    holes, lost = metrics.HOLES._value.get(), metrics.LOST._value.get()
    await loop.turn()
    await loop.turn()
    assert loop.kafka.commits == [{ONE: 5}]
    assert (metrics.HOLES._value.get() - holes, metrics.LOST._value.get() - lost) == (3, 0)


@pytest.mark.parametrize(("beginning", "lost", "holes"), [(8, 3, 2), (10, 5, 0), (99, 5, 0), (5, 0, 5), (0, 0, 5)])
async def test_what_retention_removed_is_counted_as_lost(beginning: int, lost: int, holes: int) -> None:
    """Five was expected and ten came: what lay below the beginning of the partition will never come."""
    loop = Loop((ONE, 10))
    loop.kafka.committed_offsets, loop.kafka.beginning = {ONE: 5}, {ONE: beginning}
    before = metrics.LOST._value.get(), metrics.HOLES._value.get()
    await loop.turn()
    await loop.turn()
    assert loop.processor.batches == [[(1, 10)]]
    assert (metrics.LOST._value.get() - before[0], metrics.HOLES._value.get() - before[1]) == (lost, holes)


async def test_a_group_that_is_new_expects_the_beginning_of_the_partition() -> None:
    loop = Loop((ONE, 7))
    loop.kafka.beginning = {ONE: 7}
    await loop.turn()
    assert loop.kafka.commits == [{ONE: 8}]


async def test_a_store_that_is_away_is_waited_for_and_the_same_batch_stored() -> None:
    loop = Loop((ONE, 0), errors=[Unavailable("down"), Unavailable("still down")])
    await loop.turn()
    assert loop.processor.batches == [[(1, 0)]]
    assert loop.kafka.commits == [{ONE: 1}]
    assert loop.health.parts["postgres"].ok


async def test_partitions_whose_events_cannot_leave_wait_and_the_others_go_on() -> None:
    loop = Loop((ONE, 0), (TWO, 0), (ONE, 1), (TWO, 1))
    loop.overdue = {1}
    await loop.turn()
    loop.commands.resume()
    await loop.turn()
    assert loop.processor.batches == [[(2, 0), (2, 1)]]
    assert (loop.kafka.commits, loop.kafka.on_hold) == ([{TWO: 2}], {ONE})
    loop.overdue = set()
    loop.commands.resume()
    await loop.turn()
    assert loop.processor.batches[1:] == [[(1, 0), (1, 1)]]
    assert loop.kafka.on_hold == set()


@pytest.mark.parametrize(("error", "part"), [(Unavailable("down"), "postgres"), (BadDeploy("bugs"), "consumer")])
async def test_leaving_ends_the_wait_and_leaves_the_batch_to_others(
    error: Exception, part: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Loop((ONE, 0), errors=[error])
    monkeypatch.setattr(Backoff, "next", lambda _: 60.0)
    turn = asyncio.create_task(loop.turn())
    await until(lambda: loop.health.parts)
    loop.rebalance.leaving.set()
    async with asyncio.timeout(5):
        await turn
    assert (loop.kafka.commits, loop.processor.batches, loop.stored) == ([], [], 0)
    assert not loop.health.parts[part].ok
    assert loop.rebalance.idle.is_set(), "the rebalance need not wait any longer"


async def test_a_batch_that_was_fetched_before_a_rebalance_is_left_to_whoever_gets_it() -> None:
    loop = Loop((ONE, 0))
    loop.rebalance.leaving.set()
    await loop.turn()
    assert (loop.processor.batches, loop.kafka.commits) == ([], [])


async def test_a_rebalance_waits_for_the_commit() -> None:
    loop = Loop((ONE, 0))
    idle: list[bool] = []
    commit = loop.kafka.commit

    async def committing(offsets: dict[TopicPartition, int]) -> None:
        idle.append(loop.rebalance.idle.is_set())
        await commit(offsets)

    loop.kafka.commit = committing  # type: ignore[method-assign]
    await loop.turn()
    assert (idle, loop.rebalance.idle.is_set()) == ([False], True)


@pytest.mark.parametrize("error", [CommitFailedError("rebalanced"), IllegalStateError("not assigned")])
async def test_offsets_of_partitions_that_are_gone_are_not_committed(error: Exception) -> None:
    loop = Loop((ONE, 0))
    loop.kafka.commit_errors = [error]
    await loop.turn()
    assert (loop.kafka.commits, loop.kafka.commit_errors) == ([], [])


async def test_a_commit_that_fails_is_tried_again_and_costs_nothing_if_it_never_works() -> None:
    loop = Loop((ONE, 0), (ONE, 1))
    loop.kafka.commit_errors = [KafkaConnectionError()] * 2
    await loop.turn(limit=1)
    assert loop.kafka.commits == [{ONE: 1}]
    loop.kafka.commit_errors = [KafkaConnectionError()] * COMMIT_TRIES
    await loop.turn()
    assert loop.kafka.commits == [{ONE: 1}]
    assert loop.processor.batches == [[(1, 0)], [(1, 1)]]
