"""A problem document stays small, whatever went into it."""

import json
from typing import Any

import pytest

from notes_chassis.http.limits import ERRORS, PROBLEM_BYTES
from notes_chassis.http.problems import problem_body, problem_response

WIDE = "\x01" * 100_000


def errors(count: int, text: str) -> list[dict[str, str]]:
    return [{"field": text, "message": text} for _ in range(count)]


@pytest.mark.parametrize(
    ("detail", "members"),
    [
        ("short", {}),
        (WIDE, {}),
        ("\U0001f600" * 100_000, {"errors": errors(20, "\U0001f600" * 1_000)}),
        (WIDE, {"errors": errors(330_000, "x")}),
        (WIDE, {"errors": errors(20, WIDE)}),
        ("short", {"outcome": {"error": {"message": WIDE}}, "errors": errors(20, WIDE)}),
        ("short", {"known": ["x" * 100] * 1_000}),
    ],
)
def test_a_problem_is_bounded_and_says_what_fits(detail: str, members: dict[str, Any]) -> None:
    body = problem_body(422, "invalid", detail, members)
    document = json.loads(body)
    assert len(body) <= PROBLEM_BYTES
    assert len(document.get("errors", [])) <= ERRORS
    assert (document["status"], document["code"], document["title"]) == (422, "invalid", "Unprocessable Entity")
    assert detail.startswith(document["detail"])
    assert not members.get("errors") or document["errors"]


def test_what_is_short_is_told_whole() -> None:
    told = errors(3, "x" * 64)
    document = json.loads(problem_body(409, "note_archived", "a note", {"outcome": {"version": 3}, "errors": told}))
    assert (document["outcome"], document["errors"], document["type"]) == ({"version": 3}, told, "about:blank")


@pytest.mark.parametrize(("status", "there"), [(429, True), (503, True), (422, False), (413, False)])
def test_who_should_try_again_is_told_when(status: int, there: bool) -> None:
    assert ("retry-after" in problem_response(status, "x", "x").headers) is there


@pytest.mark.parametrize("status", [404, 410, 409, 503])
def test_no_cache_keeps_a_problem_unasked(status: int) -> None:
    assert problem_response(status, "x", "x").headers["cache-control"] == "no-cache"
    assert problem_response(status, "x", "x", {"Cache-Control": "no-store"}).headers["cache-control"] == "no-store"
