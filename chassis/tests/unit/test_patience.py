from types import SimpleNamespace

import pytest

from notes_chassis.kafka.patience import GATHER_MS, Pace, gathering, impatient, moments


def paced(apart_s: float, fetches: int, at_once: int = 1) -> tuple[Pace, float]:
    """Return a pace after so many fetches, each of which has brought so many records, and the time then."""
    pace, now = Pace(), 0.0
    pace.begin(now)
    for _ in range(fetches):
        now += apart_s * at_once
        pace.found(at_once, now)
    return pace, now


@pytest.mark.parametrize(("per_s", "gathered"), [(20, 0), (100, 0), (150, 0), (200, GATHER_MS), (500, 6), (1500, 2)])
@pytest.mark.parametrize("at_once", [1, 3])
def test_records_wait_until_there_are_three_where_two_come_in_time(per_s: int, at_once: int, gathered: int) -> None:
    pace, now = paced(1 / per_s, 40, at_once)
    assert gathering(pace.apart_s(now)) == gathered
    assert impatient(pace.apart_s(now)) == 0


def test_the_first_records_wait_for_nobody_nor_do_the_first_after_a_silence() -> None:
    pace, now = paced(0.004, 2)
    assert gathering(pace.apart_s(now)) == 0, "two may be chance"
    pace, now = paced(0.004, 50)
    assert gathering(pace.apart_s(now)) == GATHER_MS
    pace.found(0, now + 0.02)
    assert gathering(pace.apart_s(now + 0.02)) == 0, "nothing has come"
    pace.found(1, now + 60)
    assert gathering(pace.apart_s(now + 60)) == 0


def test_a_silence_counts_as_one_batch_and_is_soon_forgotten() -> None:
    pace, now = paced(0.004, 50)
    now += 60
    pace.found(1, now)
    for _ in range(20):
        now += 0.004
        pace.found(1, now)
    assert gathering(pace.apart_s(now)) == GATHER_MS


def test_what_was_gathered_by_whoever_wrote_it_does_not_wait_again() -> None:
    written = [[SimpleNamespace(timestamp=at) for at in times] for times in ((7, 7), (7, 9))]
    assert moments(written) == 2
    assert moments([]) == 0
    pace, now = paced(0.012, 40)
    assert gathering(pace.apart_s(now)) == 0, "three records every twelve milliseconds, of one moment each time"
