"""JSON that was read, written again."""

import re

from pydantic_core import to_json

_INFINITE = re.compile(rb'"(?:[^"\\]++|\\.)*+"|Infinity')
"""A text, or a number such as 1e400 after it was read: JSON, but what is written of it is none."""


def written_again(said: object) -> bytes:
    """Return as JSON what was read of JSON."""
    written = to_json(said)
    return written if b"Infinity" not in written else _INFINITE.sub(_as_number, written)


def _as_number(found: re.Match[bytes]) -> bytes:
    return b"1e999" if found[0] == b"Infinity" else found[0]
