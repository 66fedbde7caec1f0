"""The guard: a record that was skipped is read again, and a real hole is crossed."""

import asyncio
from collections.abc import Collection

import pytest
from aiokafka import TopicPartition
from aiokafka.structs import OffsetAndMetadata
from chassis_support.fake_consumer import FakeConsumer
from chassis_support.loop import Loop
from chassis_support.records import TOPIC, record
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule
from structlog.testing import capture_logs

from notes_chassis.kafka.offsets import OffsetGuard, Start, Verdict, first_offset, metadata_of

ONE, TWO = TopicPartition("commands", 1), TopicPartition("commands", 2)


def test_a_partition_that_is_not_known_is_taken_as_it_comes() -> None:
    guard = OffsetGuard()
    assert ONE not in guard.expected
    assert guard.check(ONE, 17) is Verdict.IN_PLACE


def test_the_next_offset_is_in_its_place_and_so_is_a_repeat() -> None:
    guard = OffsetGuard()
    guard.expected[ONE] = 5
    assert ONE in guard.expected
    assert guard.check(ONE, 5) is Verdict.IN_PLACE
    assert guard.check(ONE, 3) is Verdict.IN_PLACE


def test_a_jump_is_read_again_once_and_then_is_a_hole() -> None:
    guard = OffsetGuard()
    guard.expected[ONE] = 5
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(ONE, 9) is Verdict.HOLE


def test_a_jump_after_a_failed_fetch_proves_nothing() -> None:
    guard = OffsetGuard()
    guard.expected[ONE] = 5
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    guard.fetch_failed()
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(ONE, 9) is Verdict.HOLE


def test_what_was_missing_and_came_is_no_hole_the_next_time() -> None:
    guard = OffsetGuard()
    guard.expected[ONE] = 5
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(ONE, 5) is Verdict.IN_PLACE
    guard.expected[ONE] = 7
    assert guard.check(ONE, 9) is Verdict.SKIPPED, "the next jump is another one, though it ends at the same offset"


def test_another_later_offset_is_no_proof_of_a_hole() -> None:
    guard = OffsetGuard()
    guard.expected[ONE] = 5
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(ONE, 12) is Verdict.SKIPPED
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(ONE, 9) is Verdict.HOLE


def test_every_hole_is_proved_anew() -> None:
    guard = OffsetGuard()
    guard.expected[ONE] = 5
    guard.check(ONE, 9)
    guard.check(ONE, 9)
    assert guard.check(ONE, 9) is Verdict.SKIPPED


def test_partitions_do_not_mix() -> None:
    guard = OffsetGuard()
    guard.expected[ONE] = 5
    guard.expected[TWO] = 50
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(TWO, 50) is Verdict.IN_PLACE
    assert guard.check(ONE, 9) is Verdict.HOLE


def test_after_an_assignment_nothing_is_known() -> None:
    guard = OffsetGuard()
    guard.expected[ONE] = 5
    guard.check(ONE, 9)
    guard.clear()
    assert ONE not in guard.expected
    guard.expected[ONE] = 5
    assert guard.check(ONE, 9) is Verdict.SKIPPED, "the rewind was forgotten, too"


@pytest.mark.parametrize(
    ("committed", "expected"),
    [
        (None, (7, Start.NEW_GROUP)),
        (OffsetAndMetadata(8, metadata_of("new")), (8, Start.COMMITTED)),
        (OffsetAndMetadata(8, metadata_of("old")), (7, Start.NEW_TOPIC)),
        (OffsetAndMetadata(10, ""), (7, Start.NEW_TOPIC)),
        (OffsetAndMetadata(9, ""), (9, Start.COMMITTED)),
    ],
)
def test_a_partition_is_read_from_what_was_committed_for_this_topic_else_from_its_beginning(
    committed: OffsetAndMetadata | None, expected: tuple[int, Start]
) -> None:
    assert first_offset(committed, "new", beginning=7, end=9) == expected


class Consuming(RuleBasedStateMachine):
    """A partition with holes, and a fetch that drops batches: all that is there is processed, in order.

    The one thing assumed: the fetch right after a seek is not dropped as well. Else a loss looks like a hole.
    """

    @initialize(there=st.sets(st.integers(0, 40), min_size=1))
    def begin(self, there: set[int]) -> None:
        self.guard, self.there = OffsetGuard(), sorted(there)
        self.position, self.sought, self.processed = 0, False, list[int]()
        self.guard.expected[ONE] = 0

    def fetch(self, size: int) -> list[int]:
        batch = [offset for offset in self.there if offset >= self.position][:size]
        if batch:
            self.position = batch[-1] + 1
        return batch

    @precondition(lambda self: not self.sought)
    @rule(size=st.integers(1, 5))
    def drop(self, size: int) -> None:
        self.fetch(size)

    @rule(size=st.integers(1, 5))
    def deliver(self, size: int) -> None:
        batch = self.fetch(size)
        if not batch:
            return
        verdict = self.guard.check(ONE, batch[0])
        self.sought = verdict is Verdict.SKIPPED
        if self.sought:
            self.position = self.guard.expected[ONE]
            return
        self.processed += [offset for offset in batch if not self.processed or offset > self.processed[-1]]
        self.guard.expected[ONE] = batch[-1] + 1
        assert self.processed == self.there[: len(self.processed)]

    def teardown(self) -> None:
        """From any state, undisturbed fetches read the rest."""
        for _ in range(3 * len(self.there)):
            self.deliver(5)
        assert self.processed == self.there or self.position > self.there[-1]


TestConsuming = Consuming.TestCase
TestConsuming.settings = settings(max_examples=60, stateful_step_count=20, deadline=None, derandomize=True)


async def test_a_batch_of_many_new_partitions_waits_for_kafka_as_long_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is asked of the consumer's connection waits behind its fetch, so all of it is asked at once."""
    new = [TopicPartition(TOPIC, number) for number in range(12)]
    loop = Loop(*((at, 0) for at in new))
    asked, both = list[tuple[str, int]](), asyncio.Barrier(2)

    async def ask(name: str, partitions: Collection[TopicPartition]) -> dict[TopicPartition, int]:
        asked.append((name, len(partitions)))
        await both.wait()
        return dict.fromkeys(partitions, int(name == "ends"))

    monkeypatch.setattr(FakeConsumer, "beginning_offsets", lambda _, partitions: ask("beginnings", partitions))
    monkeypatch.setattr(FakeConsumer, "end_offsets", lambda _, partitions: ask("ends", partitions))
    async with asyncio.timeout(5):
        await loop.turn()
    assert asked == [("beginnings", 12), ("ends", 12)]
    assert loop.batches == [[(at.partition, 0) for at in new]]


async def test_a_group_without_offsets_says_what_it_cannot_read_and_counts_no_loss() -> None:
    """It may be new, or have been away for longer than its offsets and the records are kept: Kafka tells both alike."""
    at = TopicPartition(TOPIC, 1)
    loop = Loop((at, 7), (TopicPartition(TOPIC, 2), 0))
    loop.kafka.beginning = {at: 7}
    before = loop.count("lost_records_total"), loop.count("partition_resets_total")
    with capture_logs() as logs:
        await loop.turn()
        loop.kafka.log.append(record(at, 8))
        await loop.turn()
    (said,) = (line for line in logs if line["event"].startswith("no offset is committed"))
    assert (said["log_level"], said["consumer"], said["beginnings"]) == ("warning", "things", {"things-1": 7})
    assert (loop.count("lost_records_total"), loop.count("partition_resets_total")) == before


@pytest.mark.parametrize("fetched_before", [True, False])
async def test_where_the_store_knows_less_than_was_committed_records_are_read_again(fetched_before: bool) -> None:
    """As after a backup: what is known of no partition is at its beginning, and what is further stays as it was."""
    one, two, three, new = (TopicPartition(TOPIC, number) for number in (1, 2, 3, 4))
    loop = Loop(*((at, offset) for at in (one, two, three) for offset in range(4)), (new, 0), stored={1: 2, 3: 9})
    loop.kafka.committed_offsets = {one: 3, two: 3, three: 3}
    if not fetched_before:  # a look at the consumer comes first
        await loop.consumer.positions.learn(loop.kafka, [one, two, three, new])
    await loop.turn()
    await loop.turn()
    processed = [place for batch in loop.batches for place in batch]
    assert sorted(processed) == [(1, 2), (1, 3), (2, 0), (2, 1), (2, 2), (2, 3), (3, 3), (4, 0)]
    assert loop.kafka.committed_offsets == {one: 4, two: 4, three: 4, new: 1}
    assert loop.stored == {1: 4, 2: 4, 3: 4, 4: 1}


async def test_what_the_store_does_not_tell_yet_is_waited_for() -> None:
    at = TopicPartition(TOPIC, 1)
    loop = Loop(*((at, offset) for offset in range(3)), stored={1: 1}, silent=2)
    loop.kafka.committed_offsets = {at: 2}
    await loop.turn()
    await loop.turn()
    assert loop.batches == [[(1, 1), (1, 2)]]


async def test_nothing_is_committed_that_the_store_was_not_told_of() -> None:
    at = TopicPartition(TOPIC, 1)
    loop = Loop((at, 0), stored={}, deaf=2)
    await loop.turn()
    assert (loop.deaf, loop.stored, loop.kafka.commits) == (0, {1: 1}, [{at: 1}])

    loop.kafka.log.append(record(at, 1))
    loop.deaf = 99
    await loop.turn()
    assert (loop.stored, loop.kafka.commits) == ({1: 1}, [{at: 1}])
