import asyncio
import time
from types import SimpleNamespace

import pytest

from notes_chassis.kafka import pacing
from notes_chassis.kafka.pacing import Pace, distinct_times, gathering, impatient


def paced(apart_s: float, fetches: int, at_once: int = 1) -> tuple[Pace, float]:
    """Return a pace after so many fetches, each of which has brought so many records, and the time then."""
    pace, now = Pace(), 0.0
    pace.begin(now)
    for _ in range(fetches):
        now += apart_s * at_once
        pace.note(at_once, now)
    return pace, now


@pytest.mark.parametrize(("per_s", "gathered"), [(20, 0), (100, 0), (150, 0), (200, 15), (500, 6), (1500, 2)])
@pytest.mark.parametrize("at_once", [1, 3])
def test_records_wait_until_there_are_three_where_they_come_close_together(
    per_s: int, at_once: int, gathered: int
) -> None:
    pace, now = paced(1 / per_s, 40, at_once)
    assert gathering(pace.apart_s(now)) == gathered
    assert impatient(pace.apart_s(now)) == 0


def test_the_first_records_wait_for_nobody_nor_do_the_first_after_a_silence() -> None:
    pace, now = paced(0.004, 2)
    assert gathering(pace.apart_s(now)) == 0, "two may be chance"
    pace, now = paced(0.004, 50)
    assert gathering(pace.apart_s(now)) == 12
    pace.note(0, now + 0.02)
    assert gathering(pace.apart_s(now + 0.02)) == 0, "nothing has come"
    pace.note(1, now + 60)
    assert gathering(pace.apart_s(now + 60)) == 0


def test_a_silence_counts_as_one_batch_and_is_soon_forgotten() -> None:
    pace, now = paced(0.004, 50)
    now += 60
    pace.note(1, now)
    for _ in range(20):
        now += 0.004
        pace.note(1, now)
    assert gathering(pace.apart_s(now)) == 12


def test_what_was_gathered_by_whoever_wrote_it_does_not_wait_again() -> None:
    written = [[SimpleNamespace(timestamp=at) for at in times] for times in ((7, 7), (7, 9))]
    assert distinct_times(written) == 2
    assert distinct_times([]) == 0
    pace, now = paced(0.012, 40)
    assert gathering(pace.apart_s(now)) == 0, "three records every twelve milliseconds, of one moment each time"


async def test_yielding_is_a_share_of_the_time_and_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a load that never ends, a fifth of the time is its own, however short its batches are."""
    one = pacing.Yielding(to=lambda: True)
    one.note_work(0.02)
    began = time.monotonic()
    async with asyncio.timeout(1):  # not the four seconds of a batch
        await one.wait(asyncio.Event())
    assert time.monotonic() - began >= 0.079
    less = pacing.Yielding(to=lambda: True, share=lambda: 0.1)
    less.note_work(0.02)
    began = time.monotonic()
    async with asyncio.timeout(1):
        await less.wait(asyncio.Event())
    assert time.monotonic() - began >= 0.179
    one.note_work(60.0)
    monkeypatch.setattr(pacing, "YIELD_S", 0.1)
    async with asyncio.timeout(1):
        await one.wait(asyncio.Event())
