"""Columns as parameters: literals must say what the values are, whatever is in them."""

from datetime import UTC, datetime

from notes_command.columns import ids, numbers, texts, times, words


def test_nothing_in_a_word_is_taken_for_syntax() -> None:
    assert words(["plain", "NULL", "", "a,b", "{}", 'say "x"', "back\\slash"]) == (
        r'{"plain","NULL","","a,b","{}","say \"x\"","back\\slash"}'
    )


def test_none_in_a_column_is_written_as_null() -> None:
    assert ids(["a", None]) == "a,"
    assert numbers([0, None, 2]) == "{0,NULL,2}"


def test_a_time_keeps_its_milliseconds() -> None:
    assert times([datetime(2026, 1, 2, 3, 4, 5, 678000, UTC)]) == "{2026-01-02T03:04:05.678Z}"


def test_only_a_column_without_any_value_is_left_to_unnest() -> None:
    assert texts([None, None]) == []
    assert texts([None, ""]) == [None, ""]
