"""Limits that all requests share: on the memory of their bodies, which are JSON, and on requests that wait."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect

from notes_chassis.http.limits import REFUSED, HttpLimits
from notes_chassis.http.problems import Refusal

BODY_CODES: Final = ("too_large", "unsupported_media_type", "request_timeout")
"""Codes of the refusals of a body."""
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_is_json = re.compile(r"\s*(application/json|[\w.!#$&^*-]+/[\w.!#$&^*+-]+\+json)\s*(;.*)?", re.ASCII | re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Upload:
    """The body of one request, and the bytes that it holds."""

    since: float
    held: int = 0
    arriving: asyncio.Timeout | None = None
    evicted: bool = False


@dataclass(slots=True)
class Intake:
    """The bytes that the bodies of all requests hold together.

    At the limit, the unfinished body with the largest product of bytes and time is evicted: a stalled upload holds up
    only itself.
    """

    limits: HttpLimits = field(default_factory=HttpLimits)
    held: int = 0
    _unfinished: set[Upload] = field(default_factory=set)

    @contextmanager
    def room(self) -> Iterator[Upload]:
        """Yield an upload for `read`; its bytes are released at the end of the block."""
        upload = Upload(asyncio.get_running_loop().time())
        try:
            yield upload
        finally:
            self._release(upload)

    async def read(self, request: Request, upload: Upload) -> bytes:
        """Return the JSON text of the body without a byte order mark. Raises Refusal: 408, 413, 415, 422 or 503."""
        declared = request.headers.get("content-length", "")
        if declared.isascii() and declared.isdecimal() and len(declared) < 20:
            self._refuse_large(int(declared))
        check_media_type(request)
        chunks = []
        size = 0
        self._unfinished.add(upload)
        try:
            async with asyncio.timeout(self.limits.http_arrive_s) as upload.arriving:
                async for chunk in request.stream():
                    size += len(chunk)
                    self._refuse_large(size)
                    self._hold(upload, len(chunk))
                    chunks.append(chunk)
        except TimeoutError as error:
            if upload.evicted:
                raise _full("others needed the room that this unfinished request took") from error
            REFUSED.labels("arrive").inc()
            late = f"the body did not arrive within {self.limits.http_arrive_s:g} s"
            raise Refusal(408, "request_timeout", late, {"Connection": "close"}) from error
        except ClientDisconnect as error:  # nobody reads the answer, but without it a traceback would be logged
            raise Refusal(400, "bad_request", "the client went away") from error
        finally:
            self._unfinished.discard(upload)
        return b"".join(chunks).removeprefix(BYTE_ORDER_MARK)

    def _refuse_large(self, size: int) -> None:
        if size > self.limits.http_body_bytes:
            REFUSED.labels("body").inc()
            raise Refusal(413, "too_large", f"the body is larger than {self.limits.http_body_bytes} bytes")

    def _hold(self, upload: Upload, size: int) -> None:
        """Add to the bytes that an upload holds, and evict others at the limit. Raises Refusal if there are none."""
        while self.held + size > self.limits.http_bodies_bytes:
            others = self._unfinished - {upload}
            if not others:
                raise _full("too many requests are being dealt with already")
            now = asyncio.get_running_loop().time()
            self._evict(max(others, key=lambda other: other.held * (now - other.since)))
        self.held += size
        upload.held += size

    def _evict(self, upload: Upload) -> None:
        upload.evicted = True
        self._unfinished.discard(upload)
        self._release(upload)
        if upload.arriving is not None:
            upload.arriving.reschedule(0)

    def _release(self, upload: Upload) -> None:
        self.held -= upload.held
        upload.held = 0


def check_media_type(request: Request) -> None:
    """Raise Refusal `unsupported_media_type` unless the body is JSON and not encoded.

    A web page may send forms and plain text to any server without a preflight.
    """
    headers = request.headers
    if any(value.strip().lower() not in ("", "identity") for value in headers.getlist("content-encoding")):
        raise _unsupported("a body with a content encoding is not read", {"Accept-Encoding": "identity"})
    if any(value.strip().lower() != "chunked" for value in headers.getlist("transfer-encoding")):
        raise _unsupported("of transfer codings, only chunked is read", {})
    types = headers.getlist("content-type")
    has_body = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    if not all(map(_is_json.fullmatch, types)) or (has_body and not types):
        raise _unsupported("a body is application/json", {"Accept-Post": "application/json"})


def _unsupported(detail: str, headers: dict[str, str]) -> Refusal:
    return Refusal(415, "unsupported_media_type", detail, headers)


def _full(detail: str) -> Refusal:
    REFUSED.labels("bodies").inc()
    return Refusal(503, "unavailable", f"{detail}; try again")


@dataclass(slots=True)
class Places:
    """Places of requests that wait."""

    most: int
    taken: int = 0

    @contextmanager
    def one(self) -> Iterator[None]:
        """Take a place. Raises Refusal `unavailable` if none is left."""
        if self.taken >= self.most:
            REFUSED.labels("waiting").inc()
            raise Refusal(503, "unavailable", f"{self.most} requests wait already; try again")
        self.taken += 1
        try:
            yield
        finally:
            self.taken -= 1
