from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable
from datetime import UTC, datetime
from math import inf, nan
from typing import Any

import pytest
from query_support.fixtures import Samples

from notes_query.errors import InvalidCursor
from notes_query.reads import cursor
from notes_query.reads.cursor import PageEnd, Rank, scope_of

SCOPE = scope_of("notes", "active", None, None)


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
        datetime(1969, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999000, tzinfo=UTC),
    ],
)
def test_a_cursor_holds_the_position_to_the_millisecond(samples: Samples, moment: datetime):
    position = PageEnd(moment, samples.note)

    text = cursor.encode(position, SCOPE)

    assert cursor.decode(text, SCOPE) == position
    assert text.replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("score", [1.1, 0.0, 2 / 3, 1e300])
def test_a_cursor_holds_the_score_exactly(samples: Samples, score: float):
    rank = Rank(score, samples.note)

    assert cursor.decode_rank(cursor.encode(rank, SCOPE), SCOPE) == rank


def test_what_was_not_given_out_is_refused(samples: Samples):
    good = cursor.encode(PageEnd(samples.start, samples.note), SCOPE)
    raw = urlsafe_b64decode(good + "==")
    another_version = urlsafe_b64encode(b"\x01" + raw[1:]).decode().rstrip("=")
    too_far = urlsafe_b64encode(raw[:7] + b"\x7f" + raw[8:]).decode().rstrip("=")

    for text in ("", "x", "é", good[:-1], good + "A", good + "==", f" {good}", "!" + good, another_version, too_far):
        with pytest.raises(InvalidCursor):
            cursor.decode(text, SCOPE)


@pytest.mark.parametrize("score", [nan, inf])
def test_a_score_that_no_note_has_is_refused(samples: Samples, score: float):
    with pytest.raises(InvalidCursor):
        cursor.decode_rank(cursor.encode(Rank(score, samples.note), SCOPE), SCOPE)


@pytest.mark.parametrize(
    ("decode", "other"),
    [
        (cursor.decode, scope_of("notes", "all", None, None)),
        (cursor.decode, scope_of("notes", "active", "a", None)),
        (cursor.decode, scope_of("notes", "active", None, "a")),
        (cursor.decode, scope_of("search", ["a"])),
        (cursor.decode_rank, scope_of("search", ["a"])),
    ],
)
def test_a_cursor_of_another_list_is_refused(samples: Samples, decode: Callable[[str, bytes], Any], other: bytes):
    with pytest.raises(InvalidCursor):
        decode(cursor.encode(PageEnd(samples.start, samples.note), SCOPE), other)
