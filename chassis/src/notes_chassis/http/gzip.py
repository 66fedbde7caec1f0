"""Answers compressed by gzip, where a client asks for it and it saves something."""

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import Message, Scope

LEAST: Final = 1024
"""Bytes of an answer from which it is compressed."""
INLINE: Final = 16 * 1024
"""Bytes up to which the event loop does it, in half a millisecond; a thread does larger ones."""
AT_ONCE: Final = 2
"""Larger answers that are compressed at once; others are sent as they are meanwhile."""
_LEVEL: Final = 5
_GZIP: Final = 16 + zlib.MAX_WBITS
_TYPES: Final = ("application/json", "application/problem+json", "application/javascript", "text/", "image/svg+xml")
_STREAM: Final = "text/event-stream"


class Gzip:
    """Compresses bodies: short ones at once, long ones in a few threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="gzip")
        self._at_work = 0

    async def __call__(self, scope: Scope, start: Message, message: Message) -> Message:
        """Return the one body of an answer as its client takes it. Changes the headers, too."""
        headers = MutableHeaders(raw=start["headers"])
        headers.append("Vary", "Accept-Encoding")
        start["headers"] = headers.raw
        if not accepts_gzip(Headers(scope=scope).getlist("accept-encoding")):
            return message
        body = message["body"]
        if len(body) <= INLINE:
            packed = _packed(body)
        elif self._at_work < AT_ONCE:
            self._at_work += 1
            try:
                packed = await asyncio.get_running_loop().run_in_executor(self._threads, _packed, body)
            finally:
                self._at_work -= 1
        else:
            return message
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(packed))
        if (etag := headers.get("etag", "")).startswith('"'):
            # The same thing in other bytes, which a strong tag would say are the same.
            headers["ETag"] = f"W/{etag}"
        start["headers"] = headers.raw
        return {**message, "body": packed}


def is_compressible(start: Message) -> bool:
    """Say whether an answer is long enough, a text, whole, and not encoded yet."""
    length = kind = b""
    for name, value in start["headers"]:
        if name == b"content-length":
            length = value
        elif name == b"content-type":
            kind = value
        elif name == b"content-encoding":
            return False
    if not length.isdigit() or int(length) < LEAST:
        return False
    text = kind.decode("latin-1").lower()
    return text.startswith(_TYPES) and not text.startswith(_STREAM)


def accepts_gzip(lines: list[str]) -> bool:
    """Say whether lines of `Accept-Encoding` ask for gzip, by name or by `*`, and do not refuse it with `q=0`."""
    found: dict[str, bool] = {}
    for part in ",".join(lines).split(","):
        name, _, parameters = part.partition(";")
        found[name.strip().lower()] = _quality(parameters) > 0
    return found.get("gzip", found.get("x-gzip", found.get("*", False)))


def _quality(parameters: str) -> float:
    """Return what `q=` says, 1 without it, 0 for what is no number."""
    name, _, value = parameters.replace(" ", "").partition("=")
    if not name:
        return 1.0
    try:
        return float(value) if name.lower() == "q" else 0.0
    except ValueError:
        return 0.0


def _packed(body: bytes) -> bytes:
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
    return packer.compress(body) + packer.flush()
