"""Arguments from a terminal."""

from argparse import ArgumentTypeError
from datetime import UTC, datetime

import pytest

from notes_chassis.terminal import moment


@pytest.mark.parametrize("text", ["2026-01-02T03:04:05Z", "2026-01-02T03:04:05", "2026-01-02T05:04:05+02:00"])
def test_a_time_is_utc_unless_a_zone_is_given(text: str) -> None:
    assert moment(text) == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.mark.parametrize("text", ["yesterday", "0001-01-01T00:00:00+10:00", "9999-12-31T23:59:59-10:00"])
def test_a_time_that_no_store_takes_is_refused_with_a_sentence(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="is not a time such as"):
        moment(text)
