"""Whether a step was right."""

from collections.abc import Mapping
from typing import Any


class DemoError(Exception):
    """A step was not right, or could not be made; the message is for a person."""


def check(what: str, found: object, expected: object) -> None:
    """Raise DemoError unless `found` is `expected`."""
    if found != expected:
        raise DemoError(f"{what} should be {expected!r}, and is {found!r}.")


def check_fields(what: str, found: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Raise DemoError unless every field expected is there with its value."""
    for name, value in expected.items():
        check(f"{what}: {name}", found.get(name), value)
