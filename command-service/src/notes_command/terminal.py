"""Text for a terminal: tables, and nothing in them that the terminal would obey."""

import argparse
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

T = TypeVar("T")


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table for people: columns as wide as what is in them, the last one as it comes."""
    lines = [tuple(head), *(tuple("-" if cell is None else printable(str(cell)) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head) - 1)]
    return "\n".join("  ".join([*map(str.ljust, line, widths), line[-1]]).rstrip() for line in lines)


def printable(text: str, *, also: str = "") -> str:
    """Return the text with everything escaped that does not print, `also` excepted: records come from anybody."""
    return "".join(
        char if char.isprintable() or char in also else char.encode("unicode_escape").decode() for char in text
    )


def shortened(text: str, length: int) -> str:
    """Return at most `length` characters, with a sign where something is missing."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def checked(parse: Callable[[str], T]) -> Callable[[str], T]:
    """Let argparse say the sentence of a ValueError; of itself it says only that the value is invalid."""

    def checked(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return checked
