"""Lag in records and seconds, also where the consumer has stopped fetching and where producers' clocks are wrong."""

from dataclasses import dataclass

import pytest
from aiokafka import TopicPartition

from notes_command.entrypoints.lag import Lag

ONE, TWO = TopicPartition("commands", 1), TopicPartition("commands", 2)


@dataclass(frozen=True)
class Read:
    offset: int
    timestamp: int


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def lag(clock: Clock) -> Lag:
    return Lag(clock)


def test_nothing_left_is_no_lag(lag: Lag) -> None:
    assert lag.of(ONE, 5, 5) == (0, 0.0)
    assert lag.of(ONE, 6, 5) == (0, 0.0), "a transaction's marker lies behind the last record"


def test_a_batch_in_flight_is_not_processed_and_as_old_as_its_first_record(lag: Lag) -> None:
    lag.taken({ONE: [Read(5, 940_000), Read(6, 990_000)]})
    assert lag.of(ONE, 7, 9) == (4, 60.0)


def test_it_grows_while_a_batch_cannot_be_stored(lag: Lag, clock: Clock) -> None:
    lag.taken({ONE: [Read(5, 990_000)]})
    clock.now = 4600.0
    assert lag.of(ONE, 6, 50_005) == (50_000, 3610.0)


def test_what_is_left_is_younger_than_the_last_record_processed(lag: Lag) -> None:
    done = {ONE: [Read(5, 940_000), Read(6, 970_000)]}
    lag.taken(done)
    lag.processed(done)
    lag.put_down()
    assert lag.of(ONE, 7, 9) == (2, 30.0)


def test_a_record_after_a_quiet_hour_is_not_an_hour_old(lag: Lag, clock: Clock) -> None:
    lag.processed({ONE: [Read(5, 999_000)]})
    clock.now = 4600.0
    lag.of(ONE, 6, 6)
    clock.now = 4602.0
    assert lag.of(ONE, 6, 7) == (1, 2.0)


def test_a_batch_given_back_counts_from_where_it_is_read_again(lag: Lag) -> None:
    lag.taken({ONE: [Read(5, 940_000)]})
    lag.put_down()
    assert lag.of(ONE, 5, 9)[0] == 4


@pytest.mark.parametrize("timestamp", [-1, 0, 9_999_999_000])
def test_a_producer_with_a_wrong_clock_makes_no_lag_of_years(lag: Lag, clock: Clock, timestamp: int) -> None:
    lag.of(ONE, 5, 5)
    lag.processed({ONE: [Read(5, timestamp)]})
    lag.taken({ONE: [Read(6, timestamp)]})
    clock.now += 10
    assert 0.0 <= lag.of(ONE, 7, 8)[1] <= 10.0


def test_what_others_have_now_is_forgotten(lag: Lag, clock: Clock) -> None:
    lag.of(ONE, 5, 5)
    lag.keep([TWO])
    clock.now += 100
    assert lag.of(ONE, 5, 6) == (1, 0.0), "nothing is known of it any more"
