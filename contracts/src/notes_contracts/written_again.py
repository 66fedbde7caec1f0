"""Writes parsed JSON again."""

import re

from pydantic_core import to_json

_INFINITE = re.compile(rb'"(?:[^"\\]++|\\.)*+"|Infinity')
"""A JSON text, or `Infinity`, which is what pydantic writes for a number such as 1e400 and is not JSON."""


def written_again(parsed: object) -> bytes:
    """Return a parsed value as JSON."""
    written = to_json(parsed)
    return written if b"Infinity" not in written else _INFINITE.sub(_as_number, written)


def _as_number(found: re.Match[bytes]) -> bytes:
    return b"1e999" if found[0] == b"Infinity" else found[0]
