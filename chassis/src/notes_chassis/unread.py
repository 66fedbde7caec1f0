"""What stands for a record of which nothing but its offset can be read, and for what was cut of a large one."""

from collections.abc import Iterable
from typing import Final

UNREADABLE: Final = 128 * 1024 * 1024
"""Bytes of a batch in lz4 or zstd, which cannot be decompressed piece by piece here. Records behind them are handed out
without key and value, marked as unread."""
KEY_KEPT: Final = 1024 * 1024
"""Bytes that are kept of a key."""
HEADERS_KEPT: Final = 3 * 1024 * 1024
"""The same of all headers of a record together."""
UNREAD: Final = "unread"
"""The only header of such a record, and the last one of a record of which key or headers were cut: it says why."""
TOO_LARGE: Final = (
    f"the record was not read: the batch is larger than {UNREADABLE >> 20} MiB when decompressed".encode()
)
CORRUPT: Final = b"not read: from here on its batch cannot be decompressed or parsed"
CUT: Final = (
    f"key or headers were cut: {KEY_KEPT >> 20} MiB are kept of a key, {HEADERS_KEPT >> 20} MiB of all headers".encode()
)


def why_unread(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Return why a record lacks something, if it was not read whole. What a sender wrote there is not repeated."""
    content = dict(headers).get(UNREAD)
    return content.decode() if content in {TOO_LARGE, CORRUPT, CUT} and content is not None else None
