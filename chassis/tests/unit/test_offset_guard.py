"""The guard: a record that was skipped is read again, and a real hole is crossed."""

import pytest
from aiokafka import TopicPartition
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from notes_chassis.kafka.offset_guard import OffsetGuard, Verdict

ONE, TWO = TopicPartition("commands", 1), TopicPartition("commands", 2)


@pytest.fixture
def guard() -> OffsetGuard:
    """Give a guard that expects offset 5 of the first partition."""
    return OffsetGuard({ONE: 5})


def test_a_partition_that_is_not_known_is_taken_as_it_comes() -> None:
    guard = OffsetGuard()
    assert ONE not in guard.expected
    assert guard.check(ONE, 17) is Verdict.IN_PLACE


def test_the_next_offset_is_in_its_place_and_so_is_a_repeat(guard: OffsetGuard) -> None:
    assert ONE in guard.expected
    assert guard.check(ONE, 5) is Verdict.IN_PLACE
    assert guard.check(ONE, 3) is Verdict.IN_PLACE


def test_a_jump_is_read_again_once_and_then_is_a_hole(guard: OffsetGuard) -> None:
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(ONE, 9) is Verdict.HOLE


def test_a_jump_after_a_failed_fetch_proves_nothing(guard: OffsetGuard) -> None:
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    guard.fetch_failed()
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(ONE, 9) is Verdict.HOLE


def test_what_was_missing_and_came_is_no_hole_the_next_time(guard: OffsetGuard) -> None:
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(ONE, 5) is Verdict.IN_PLACE
    guard.expected[ONE] = 7
    assert guard.check(ONE, 9) is Verdict.SKIPPED, "the next jump is another one, though it ends at the same offset"


def test_another_later_offset_is_no_proof_of_a_hole(guard: OffsetGuard) -> None:
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(ONE, 12) is Verdict.SKIPPED
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(ONE, 9) is Verdict.HOLE


def test_every_hole_is_proved_anew(guard: OffsetGuard) -> None:
    guard.check(ONE, 9)
    guard.check(ONE, 9)
    assert guard.check(ONE, 9) is Verdict.SKIPPED


def test_partitions_do_not_mix(guard: OffsetGuard) -> None:
    guard.expected[TWO] = 50
    assert guard.check(ONE, 9) is Verdict.SKIPPED
    assert guard.check(TWO, 50) is Verdict.IN_PLACE
    assert guard.check(ONE, 9) is Verdict.HOLE


def test_after_an_assignment_nothing_is_known(guard: OffsetGuard) -> None:
    guard.check(ONE, 9)
    guard.clear()
    assert ONE not in guard.expected
    guard.expected[ONE] = 5
    assert guard.check(ONE, 9) is Verdict.SKIPPED, "the rewind was forgotten, too"


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
