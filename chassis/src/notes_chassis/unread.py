"""What stands for a record of which nothing but its offset can be read."""

from collections.abc import Iterable
from typing import Final

UNREADABLE: Final = 128 * 1024 * 1024
"""Bytes of a batch in lz4 or zstd, which cannot be decompressed piece by piece here. Records behind them are handed out
without key and value, marked as unread."""
UNREAD: Final = "unread"
"""The only header of such a record: its content says why."""
TOO_LARGE: Final = (
    f"the record was not read: the batch is larger than {UNREADABLE >> 20} MiB when decompressed".encode()
)
CUT_SHORT: Final = b"not read: the batch ends before it"


def why_unread(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Return why a record has no content, if it is one that was not read. What a sender wrote there is not repeated."""
    content = dict(headers).get(UNREAD)
    return content.decode() if content in {TOO_LARGE, CUT_SHORT} and content is not None else None
