"""Text for a terminal, and arguments of a command line. Control characters are escaped: records come from anybody."""

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, TypeVar

from pydantic_core import to_json

T = TypeVar("T")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table for people. Columns but the last are as wide as their widest cell; None is a dash."""
    lines = [tuple(head), *(tuple("-" if cell is None else printable(str(cell)) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
    return "\n".join("  ".join([*map(str.ljust, line, widths), line[-1]]).rstrip() for line in lines)


def printable(text: str, *, also: str = "") -> str:
    """Return the text with characters that do not print escaped, except those of `also`."""
    return "".join(
        char if char.isprintable() or char in also else char.encode("unicode_escape").decode() for char in text
    )


def shortened(text: str, length: int) -> str:
    """Return at most `length` characters; an ellipsis ends a text that was cut."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def print_json(data: Any) -> None:
    """Print data as JSON."""
    print(to_json(data, indent=2).decode())


def complain(sentence: str) -> None:
    """Print to standard error why something was not done: standard output is for results only."""
    print(sentence, file=sys.stderr)


def checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Return `parse` for argparse, which then prints the text of a ValueError: else only that the value is invalid."""

    def checked(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked


@checked
def positive(text: str) -> int:
    """Return a number above 0, for argparse."""
    if not (text.isascii() and text.isdecimal() and 0 < int(text) < 2**31):
        raise ValueError(f"{text!r} is not a number above 0")
    return int(text)


@checked
def moment(text: str) -> datetime:
    """Return a time, for argparse; one without a zone is UTC."""
    try:
        found = datetime.fromisoformat(text)
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (
        ValueError,
        OverflowError,
    ):  # a time of the year 1 or 9999 may be outside these years in UTC, and no store takes it
        raise ValueError(f"{text!r} is not a time such as 2026-01-02T03:04:05Z") from None
