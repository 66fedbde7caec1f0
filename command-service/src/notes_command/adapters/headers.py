"""The headers of a dead letter in one column: any names and bytes, nulls and repeats too, in their order."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable

Pairs = list[tuple[str, bytes | None]]


def pack_headers(pairs: Iterable[tuple[str, bytes | None]]) -> bytes:
    """Return the pairs as JSON with values in base64; null stays null."""
    return json.dumps([[name, None if value is None else b64encode(value).decode()] for name, value in pairs]).encode()


def unpack_headers(packed: bytes) -> Pairs:
    """Return what `pack_headers` was given."""
    return [(name, None if value is None else b64decode(value)) for name, value in json.loads(packed)]
