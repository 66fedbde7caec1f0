import pytest

from notes_query.live.change_log import ChangeLog, Entry, reset_entry
from notes_query.live.position import StreamPosition


def entry(offset: int, size: int = 10, partition: int = 0, note_id: str = "a") -> Entry:
    return Entry(note_id, partition, offset, late=False, id=str(offset), frame=b"x" * size)


START = StreamPosition(7, (0, 0))


def test_entries_are_read_from_any_place_and_who_is_too_far_behind_is_told():
    log = ChangeLog(START, max_entries=4)
    log.append(entry(offset) for offset in range(6))
    assert [one.offset for one in log.since(2, 10) or ()] == [2, 3, 4, 5]
    assert [one.offset for one in log.since(3, 2) or ()] == [3, 4]
    assert log.since(6, 10) == []
    assert log.since(1, 10) is None


def test_bytes_are_bounded_too_and_one_large_entry_still_fits():
    log = ChangeLog(START, max_entries=100, max_bytes=100)
    log.append(entry(offset, 40) for offset in range(3))
    assert (log.first, log.end) == (1, 3)
    log.append([entry(3, 1000)])
    assert [one.offset for one in log.since(log.first, 10) or ()] == [3]
    log.append([entry(4, 40)])
    assert [one.offset for one in log.since(log.first, 10) or ()] == [4]


def test_it_reaches_whoever_has_seen_all_that_is_gone():
    log = ChangeLog(StreamPosition(7, (5, 0)), max_entries=2)
    assert not log.reaches(StreamPosition(7, (4, 0)))
    assert log.reaches(StreamPosition(7, (5, 0)))
    log.append(entry(offset) for offset in (5, 7, 6))
    assert not log.reaches(StreamPosition(7, (5, 0)))
    assert log.reaches(StreamPosition(7, (6, 0)))
    assert [log.gone([(0, offset)]) for offset in (4, 5, 6, 7)] == [True, True, False, False]


def test_after_a_restart_only_who_is_beyond_it_is_reached():
    log = ChangeLog(START)
    log.restart(StreamPosition(7, (9, 3)))
    assert not log.reaches(StreamPosition(7, (9, 2)))
    assert log.reaches(StreamPosition(7, (9, 3)))


def test_entries_of_a_topic_that_was_made_anew_say_nothing_of_the_one_before():
    log = ChangeLog(StreamPosition(7, (100, 100)), max_entries=3)
    log.append([entry(100), entry(101, partition=1)])
    log.restart(StreamPosition(8, (4,)))
    assert log.oldest == log.end == 2
    assert log.reaches(StreamPosition(8, (4,)))
    assert log.gone([(0, 3)])
    log.append(entry(offset) for offset in (4, 5, 6, 7))  # those before go, also that of a partition that is no more
    assert [one.offset for one in log.since(log.oldest, 10) or ()] == [5, 6, 7]
    assert [log.reaches(StreamPosition(8, (next_,))) for next_ in (4, 5)] == [False, True]
    log.restart(StreamPosition(9, (0,)))
    assert log.reaches(StreamPosition(9, (0,)))
    log.append([entry(0)])
    assert log.reaches(StreamPosition(9, (0,)))


def test_what_a_client_lacks_of_a_topic_is_not_among_entries_of_the_one_before():
    log = ChangeLog(START)
    log.append([entry(1)])
    log.restart(StreamPosition(8, (5, 0)))
    assert log.gone([(0, 1)])


def test_of_each_note_one_entry_is_the_latest_as_long_as_it_is_there():
    log = ChangeLog(START, max_entries=3)
    log.append(entry(offset, note_id=note_id) for offset, note_id in enumerate("aba"))
    assert [log.is_latest(number) for number in range(3)] == [False, True, True]
    log.append(entry(3, note_id=note_id) for note_id in "cc")
    assert [log.is_latest(number) for number in (2, 3, 4)] == [True, False, True]


def test_one_event_is_looked_for_without_a_walk_through_all_entries(monkeypatch: pytest.MonkeyPatch):
    log = ChangeLog(StreamPosition(7, (5, 0)), max_entries=4)
    log.append([reset_entry("5", "a reason"), *(entry(offset) for offset in (9, 8, 8))])
    log.append([entry(10)])
    log.restart(StreamPosition(7, (20, 0)))
    log.append([entry(12), entry(11)])
    monkeypatch.setattr(log, "_entries", None)  # thousands, while every client that comes back looks
    assert [log.gone([(0, offset)]) for offset in (8, 0, 11, 12, 13, 20)] == [True, True, False, False, True, False]


def test_an_event_that_was_read_twice_is_here_until_the_second_is_gone():
    log = ChangeLog(StreamPosition(7, (5, 0)), max_entries=2)
    log.append(entry(offset) for offset in (5, 6, 5))
    assert not log.gone([(0, 5)])
    log.append([entry(7), entry(8)])
    assert log.gone([(0, 5)])
