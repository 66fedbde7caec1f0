"""The marks of a record of which only the offset could be read, and of a large record that was cut."""

from collections.abc import Iterable
from typing import Final

UNREADABLE: Final = 128 * 1024 * 1024
"""Bytes that are read of a batch in lz4 or zstd, which cannot be decompressed piece by piece here. Records behind them
are handed out without key and value, marked as unread."""
KEY_KEPT: Final = 1024 * 1024
"""Bytes that are kept of a key."""
HEADERS_KEPT: Final = 3 * 1024 * 1024
"""Bytes that are kept of all headers of a record together."""
UNREAD: Final = "unread"
"""The header that says why: the only one of a record that was not read, the last one of a record that was cut."""
TOO_LARGE: Final = (
    f"the record was not read: the batch is larger than {UNREADABLE >> 20} MiB when decompressed".encode()
)
CORRUPT: Final = b"not read: from here on its batch cannot be decompressed or parsed"
CUT: Final = (
    f"key or headers were cut: {KEY_KEPT >> 20} MiB are kept of a key, {HEADERS_KEPT >> 20} MiB of all headers".encode()
)


def why_unread(headers: Iterable[tuple[str, bytes | None]]) -> str | None:
    """Return why a record was not read whole, None if it was. A sender's own text in that header is not returned."""
    content = dict(headers).get(UNREAD)
    return content.decode() if content in {TOO_LARGE, CORRUPT, CUT} and content is not None else None
