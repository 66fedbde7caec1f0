from datetime import UTC, datetime, timedelta, timezone

import pytest
from pydantic import TypeAdapter, ValidationError

from notes_contracts import cut_to_milliseconds, format_time, parse_time
from notes_contracts.times import Timestamp

MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678_999, tzinfo=UTC)
timestamps = TypeAdapter(Timestamp)


def test_a_time_is_cut_to_milliseconds_never_rounded() -> None:
    # Rounded up, an event could be later than the moment at which it was decided.
    assert format_time(MOMENT) == "2026-01-02T03:04:05.678Z"
    assert cut_to_milliseconds(MOMENT) == datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)


@pytest.mark.parametrize("microsecond", [0, 1, 999, 1_000, 999_999])
def test_a_cut_time_survives_being_written_and_read(microsecond: int) -> None:
    moment = cut_to_milliseconds(MOMENT.replace(microsecond=microsecond))
    assert parse_time(format_time(moment)) == moment
    assert len(format_time(moment)) == len("2026-01-02T03:04:05.678Z")


def test_what_is_written_is_a_timestamp() -> None:
    for moment in (MOMENT, datetime(1, 1, 1, tzinfo=UTC), datetime.max.replace(tzinfo=UTC)):
        assert timestamps.validate_python(format_time(moment)) == format_time(moment)


def test_a_parsed_time_is_aware_and_utc() -> None:
    assert parse_time("2026-01-02T03:04:05.678Z").utcoffset() == timedelta(0)
    assert parse_time("2026-01-02T03:04:05.678Z").tzinfo is UTC


@pytest.mark.parametrize(
    "text",
    [
        "2026-01-02T03:04:05Z",
        "2026-01-02T03:04:05.67Z",
        "2026-01-02T03:04:05.678901Z",
        "2026-01-02T03:04:05.678+00:00",
        "2026-01-02T03:04:05.678z",
        "2026-01-02 03:04:05.678Z",
        "2026-01-02T03:04:05.678",
        "2026-01-02T03:04:05.678Z\n",
        "٢٠٢٦-01-02T03:04:05.678Z",
        "",
    ],
)
def test_no_other_form_is_a_timestamp(text: str) -> None:
    with pytest.raises(ValidationError):
        timestamps.validate_python(text)


@pytest.mark.parametrize("text", ["2026-02-30T03:04:05.678Z", "2026-01-02T25:04:05.678Z", "yesterday", ""])
def test_a_text_that_is_no_moment_raises_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_time(text)


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_so_does_one_that_has_no_year_in_utc(text: str) -> None:
    with pytest.raises(ValueError, match="no such moment"):
        parse_time(text)
    with pytest.raises(ValueError, match="no such moment"):
        parse_time(f"{text[:19]}.{'0' * 40}{text[19:]}")  # too long to be cached


def test_the_order_of_the_texts_is_the_order_of_the_moments() -> None:
    moments = [MOMENT + timedelta(milliseconds=step * 777) for step in range(-50, 50)]
    assert sorted(format_time(moment) for moment in moments) == [format_time(moment) for moment in moments]


def test_a_moment_of_another_zone_is_read_as_the_same_instant() -> None:
    here = MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30)))
    assert parse_time(here.isoformat()) == MOMENT
