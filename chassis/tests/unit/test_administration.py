"""Who did what is logged; pages of dead letters go on where they ended; nothing large is sent."""

import argparse
import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from notes_chassis.dead_letters import After, Position
from notes_chassis.http.dead_letters import (
    HEADERS_SHOWN,
    VALUE_SHOWN,
    DeadLettersMeant,
    DeadLettersQuery,
    Parts,
    page_of,
    previewed,
)
from notes_chassis.http.problems import Refusal
from notes_chassis.logs import log_act, log_command

NOW = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
PLACES = [After(NOW + timedelta(microseconds=one // 2), Position("t.opic", 3, one)) for one in range(5)]


class OfANote(DeadLettersQuery):
    subject: str | None = "a note"


def following(limit: int, **said: Any) -> str:
    _, scope = DeadLettersQuery(**said).wanted()
    _, cursor = page_of(PLACES, limit, lambda place: place, scope)
    assert cursor is not None
    return cursor


def test_a_page_goes_on_behind_the_last_item_of_the_one_before() -> None:
    for limit in range(1, 5):
        wanted, _ = DeadLettersQuery(cursor=following(limit)).wanted()
        assert wanted.after == PLACES[limit - 1]
    assert page_of(PLACES, 5, lambda place: place, b"") == (PLACES, None)


def test_a_cursor_is_taken_only_as_it_was_given_out() -> None:
    cursor = following(2)
    others = [cursor[:-1], cursor + "A", cursor + "=", cursor.swapcase(), "", "é", "x" * 9_999, "W10", "bnVsbA"]
    for text in others:
        with pytest.raises(Refusal) as refused:
            DeadLettersQuery(cursor=text).wanted()
        assert (refused.value.status, refused.value.code) == (400, "invalid_cursor")
    for changed in ({"state": "all"}, {"reason": "internal"}):
        with pytest.raises(Refusal, match="other filters"):
            DeadLettersQuery(cursor=cursor, **changed).wanted()
    with pytest.raises(Refusal, match="other filters"):
        OfANote(cursor=cursor).wanted()


@pytest.mark.parametrize("said", [[1, "00", 10**30, "t", 1, 1, ""], [1, "00", 0, "t\0", 1, 1, ""], [1, "x", 0], {}])
def test_a_forged_cursor_reaches_no_store(said: Any) -> None:
    text = base64.urlsafe_b64encode(repr(said).replace("'", '"').encode()).decode().rstrip("=")
    with pytest.raises(Refusal, match="given out"):
        DeadLettersQuery(cursor=text).wanted()


def test_at_most_a_hundred_are_meant_and_each_is_an_id() -> None:
    assert len(DeadLettersMeant(ids=[f"t:0:{one}" for one in range(100)]).filter.ids or ()) == 100
    for ids in ([], ["t:0:1"] * 101, ["t:0"], ["t\0:0:1"], ["t:0:" + "1" * 5_000], [7]):
        with pytest.raises(ValidationError):
            DeadLettersMeant(ids=ids)
    assert DeadLettersMeant(ids=["t:0:1", "t:0:2"]).missing(["t:0:2"]) == ["t:0:1"]


def test_a_record_of_any_size_is_shown_in_part_and_what_is_cut_is_said() -> None:
    small = previewed(Parts(b"k", [("a", None), ("b", b"c")], None))
    assert small == {"key": "aw==", "headers": [("a", None), ("b", "Yw==")], "value": None, "cut": []}
    large = previewed(Parts(b"k" * 99_999, [("a", b"x" * 9_000)] * 1_000, b"v" * 16 * 1024 * 1024))
    assert large["cut"] == [
        {"part": "key", "bytes": 99_999},
        {"part": "headers", "bytes": 9_001_000},
        {"part": "value", "bytes": 16 * 1024 * 1024},
    ]
    assert base64.b64decode(large["value"]) == b"v" * VALUE_SHOWN
    assert len(base64.b64decode(large["key"])) == HEADERS_SHOWN
    assert len(large["headers"]) == 1


def given(**said: Any) -> argparse.Namespace:
    return argparse.Namespace(**said)


def test_an_act_on_the_command_line_is_logged_with_the_processes_user() -> None:
    ids = [Position("t", 0, one) for one in range(30)]
    with capture_logs() as log:
        log_command(given(command="dead-letters", action="redrive", ids=ids, force=True, note=None, json=False), 0)
        log_command(given(command="outbox", unpark="n", drop=None, json=False), 1)
        log_command(given(command="outbox", unpark=None, drop=None, json=True), 0)
        log_command(given(command="dead-letters", action="list", ids=[]), 0)
        log_command(given(command="gaps", limit=3), 1)
    assert [(line["event"], line["act"], line["result"]) for line in log] == [
        ("administrative act", "dead-letters redrive", "done"),
        ("administrative act", "outbox", "exit code 1"),
    ]
    assert all(line["who"] and line["way"] == "command line" for line in log)
    assert (log[0]["count"], len(log[0]["ids"]), log[0]["force"]) == (30, 20, True)
    assert log[1]["unpark"] == "n"


def test_an_act_without_ids_names_none() -> None:
    with capture_logs() as log:
        log_act("http", "zoe", "POST /x", "done", note_id="n")
    assert log == [
        {"event": "administrative act", "log_level": "info", "way": "http", "who": "zoe", "act": "POST /x",
         "result": "done", "note_id": "n"}
    ]  # fmt: skip
