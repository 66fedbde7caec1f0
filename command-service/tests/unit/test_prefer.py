"""Waiting times that clients ask for: what is not understood is ignored in a preference, refused in a parameter."""

import pytest

from notes_command.gateway.outcomes import preferred_wait, wait_parameter
from notes_command.gateway.problems import Problem
from notes_contracts import Code


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
    ],
)
def test_prefer(header: str, seconds: float | None) -> None:
    assert preferred_wait(header) == seconds


@pytest.mark.parametrize(
    ("value", "seconds"), [(None, 0.0), ("0", 0.0), ("2.5", 2.5), ("30", 30.0), ("31", 30.0), ("inf", 30.0)]
)
def test_the_parameter(value: str | None, seconds: float) -> None:
    assert wait_parameter(value) == seconds


@pytest.mark.parametrize("value", ["", "-1", "-0.001", "soon", "nan", "1,5", "-inf"])
def test_a_parameter_that_is_none_is_invalid(value: str) -> None:
    with pytest.raises(Problem) as caught:
        wait_parameter(value)
    assert caught.value.code == Code.INVALID
    assert caught.value.members["errors"][0]["field"] == "wait"
