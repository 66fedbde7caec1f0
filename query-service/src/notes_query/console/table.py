"""Plain text for a terminal. What comes from records is escaped: it must not move the cursor of whoever reads it."""

from collections.abc import Iterable, Sequence
from typing import Any

from pydantic_core import to_json


def as_table(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return rows under their columns' names; what is None is a dash."""
    lines = [list(columns)] + [["-" if cell is None else visible(str(cell)) for cell in row] for row in rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines)
    return "\n".join(padded)


def visible(text: str, keep: str = "") -> str:
    """Return the text with escapes for what does not print, except for the characters of `keep`."""
    return "".join(
        character if character.isprintable() or character in keep else character.encode("unicode_escape").decode()
        for character in text
    )


def cut(text: str, length: int) -> str:
    """Return the text, or its beginning and a dot dot dot."""
    return text if len(text) <= length else text[: length - 1] + "…"


def print_json(data: Any) -> None:
    """Print for programs."""
    print(to_json(data, indent=2).decode())
