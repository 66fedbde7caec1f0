from aiokafka import TopicPartition

from notes_query.entrypoints.consumer.offsets import Hole, OffsetGuard, Rewind

AT = TopicPartition("events", 3)


def test_what_follows_and_what_repeats_is_in_place():
    guard = OffsetGuard()
    guard.expect(AT, 10)

    assert guard.check(AT, 10) is None
    assert guard.check(AT, 4) is None


def test_a_jump_is_read_again_once_and_then_taken_for_a_hole():
    guard = OffsetGuard()
    guard.expect(AT, 10)

    assert guard.check(AT, 12) == Rewind(10)
    assert guard.check(AT, 12) == Hole(10, 2)


def test_a_jump_that_was_a_slip_is_forgotten_once_the_records_came():
    guard = OffsetGuard()
    guard.expect(AT, 10)
    assert guard.check(AT, 12) == Rewind(10)
    assert guard.check(AT, 10) is None
    guard.expect(AT, 12)

    assert guard.check(AT, 14) == Rewind(12)


def test_another_jump_is_no_confirmation():
    guard = OffsetGuard()
    guard.expect(AT, 10)

    assert guard.check(AT, 12) == Rewind(10)
    assert guard.check(AT, 13) == Rewind(10)


def test_a_new_assignment_begins_anew():
    guard = OffsetGuard()
    guard.expect(AT, 10)
    guard.clear()

    assert not guard.knows(AT)
    assert guard.check(AT, 99) is None


def test_a_jump_after_a_failed_fetch_is_no_confirmation():
    guard = OffsetGuard()
    guard.expect(AT, 10)

    assert guard.check(AT, 12) == Rewind(10)
    guard.fetch_failed()
    assert guard.check(AT, 12) == Rewind(10)
    assert guard.check(AT, 12) == Hole(10, 2)
