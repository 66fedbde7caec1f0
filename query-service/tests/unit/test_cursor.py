from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from typing import Any

import pytest

from notes_query.application import cursor
from notes_query.application.cursor import Position
from notes_query.application.errors import InvalidCursor


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
    ],
)
def test_a_cursor_holds_the_position_to_the_millisecond(samples: Any, moment: datetime):
    position = Position(moment, samples.note)

    text = cursor.encode(position)

    assert cursor.decode(text) == position
    assert text.replace("-", "").replace("_", "").isalnum()


def test_what_was_not_given_out_is_refused(samples: Any):
    good = cursor.encode(Position(samples.start, samples.note))
    raw = urlsafe_b64decode(good + "==")
    another_version = urlsafe_b64encode(b"\x02" + raw[1:]).decode().rstrip("=")
    too_far = urlsafe_b64encode(raw[:1] + b"\x7f" + raw[2:]).decode().rstrip("=")

    for text in ("", "x", "é", good[:-1], good + "A", good + "==", f" {good}", "!" + good, another_version, too_far):
        with pytest.raises(InvalidCursor):
            cursor.decode(text)
