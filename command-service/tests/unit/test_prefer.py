"""Waiting times that clients ask for: what is not understood is ignored in a preference, refused in a parameter."""

from time import thread_time

import pytest
from command_support.builders import new_id
from command_support.http_side import HttpSide, problem

from notes_command.gateway.outcomes import OutcomeWaiters, preferred_wait


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("wait=5", 5.0),
        ("wait=0", 0.0),
        ('wait="5"', 5.0),
        ("Wait = 5", 5.0),
        ("respond-async, wait=5", 5.0),
        ("wait=5, respond-async", 5.0),
        ("wait=5; because=slow", 5.0),
        ("wait=30", 30.0),
        ("wait=31", 30.0),
        ("wait=999999999", 30.0),
        ("", None),
        ("respond-async", None),
        ("wait", None),
        ("wait=", None),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=soon", None),
        ("wait=5s", None),
        ("no-wait=5", None),
        ("wait=" + "9" * 500, 30.0),
        ('because="soon, wait=5"', None),
        ('because="soon, wait=5", wait=6', 6.0),
        ('because="say \\", wait=5", wait=6', 6.0),
        ('because="soon, wait=5', None),
        ('wait="5', 5.0),
        ('wait="5, 6"', None),
        ('"wait"=5', None),
        ('because="soon, wait=5\\', None),
        ('wait=6, because="soon, wait=5\\', 6.0),
        ('because="\\', None),
    ],
)
def test_the_wait_of_a_prefer_header_is_read_as_the_standard_says(header: str, seconds: float | None) -> None:
    assert preferred_wait(header) == seconds


def test_a_long_preference_does_not_hold_the_process() -> None:
    began = thread_time()
    assert preferred_wait('"' + '\\"' * 16_000 + "\\") is None
    assert thread_time() - began < 0.05


@pytest.mark.parametrize(
    ("query", "seconds"),
    [("", 0.0), ("?wait=0", 0.0), ("?wait=2.5", 2.5), ("?wait=30", 30.0), ("?wait=31", 30.0), ("?wait=1e9", 30.0)],
)
async def test_the_parameter_wait_is_kept_within_its_bounds(
    side: HttpSide, monkeypatch: pytest.MonkeyPatch, query: str, seconds: float
) -> None:
    asked: list[float] = []

    async def outcome(_: OutcomeWaiters, __: str, at_most_s: float) -> None:
        asked.append(at_most_s)

    monkeypatch.setattr(OutcomeWaiters, "outcome", outcome)
    assert (await side.client.get(f"/commands/{new_id()}{query}")).status_code == 404
    assert asked == [seconds]


@pytest.mark.parametrize(
    "value", ["", "-1", "-0.001", "soon", "nan", "1,5", "-inf", "inf", "1e999", "1_0", "%201", "0x1"]
)
async def test_a_parameter_that_is_not_one_is_invalid(side: HttpSide, value: str) -> None:
    document = problem(await side.client.get(f"/commands/{new_id()}?wait={value}"))
    assert (document["status"], document["code"]) == (422, "invalid")
    assert [error["field"] for error in document["errors"]] == ["wait"]
