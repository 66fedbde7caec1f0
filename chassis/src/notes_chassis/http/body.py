"""The room that all requests share: for their bodies, JSON up to a limit, and for those that wait."""

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
"""What reading a body can be answered with."""
BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
_is_json = re.compile(r"\s*(application/json|[\w.!#$&^*-]+/[\w.!#$&^*+-]+\+json)\s*(;.*)?", re.ASCII | re.IGNORECASE)


@dataclass(slots=True, eq=False)
class Upload:
    """A body on its way in."""

    since: float
    held: int = 0
    arriving: asyncio.Timeout | None = None
    gave_way: bool = False


@dataclass(slots=True)
class Intake:
    """The room that the bodies of all requests share.

    When it is full, the unfinished body that has taken most room for most time gives way: a stalled upload holds up
    nobody but itself.
    """

    limits: HttpLimits = field(default_factory=HttpLimits)
    held: int = 0
    _unfinished: set[Upload] = field(default_factory=set)

    @contextmanager
    def room(self) -> Iterator[Upload]:
        """Give room, which comes back at the end."""
        upload = Upload(asyncio.get_running_loop().time())
        try:
            yield upload
        finally:
            self._release(upload)

    async def read(self, request: Request, upload: Upload) -> bytes:
        """Return the JSON text of the body without a byte order mark. Raises Refusal: 408, 413, 415, 422 or 503."""
        declared = request.headers.get("content-length", "")
        self._check(int(declared) if declared.isascii() and declared.isdecimal() and len(declared) < 20 else 0)
        check_media_type(request)
        chunks, size = [], 0
        self._unfinished.add(upload)
        try:
            async with asyncio.timeout(self.limits.http_arrive_s) as upload.arriving:
                async for chunk in request.stream():
                    size += len(chunk)
                    self._check(size)
                    self._take(upload, len(chunk))
                    chunks.append(chunk)
        except TimeoutError as error:
            if upload.gave_way:
                raise _full("others needed the room that this unfinished request took") from error
            REFUSED.labels("arrive").inc()
            late = f"the body did not arrive within {self.limits.http_arrive_s:g} s"
            raise Refusal(408, "request_timeout", late, {"Connection": "close"}) from error
        except ClientDisconnect as error:  # nobody reads the answer; a traceback in the log would be the only trace
            raise Refusal(400, "bad_request", "the client went away") from error
        finally:
            self._unfinished.discard(upload)
        return b"".join(chunks).removeprefix(BYTE_ORDER_MARK)

    def _check(self, size: int) -> None:
        if size > self.limits.http_body_bytes:
            REFUSED.labels("body").inc()
            raise Refusal(413, "too_large", f"the body is larger than {self.limits.http_body_bytes} bytes")

    def _take(self, upload: Upload, size: int) -> None:
        while self.held + size > self.limits.http_bodies_bytes:
            others = self._unfinished - {upload}
            if not others:
                raise _full("too many requests are being dealt with already")
            now = asyncio.get_running_loop().time()
            self._end(max(others, key=lambda other: other.held * (now - other.since)))
        self.held += size
        upload.held += size

    def _end(self, upload: Upload) -> None:
        upload.gave_way = True
        self._unfinished.discard(upload)
        self._release(upload)
        if upload.arriving is not None:
            upload.arriving.reschedule(0)

    def _release(self, upload: Upload) -> None:
        self.held -= upload.held
        upload.held = 0


def check_media_type(request: Request) -> None:
    """Raise Refusal `unsupported_media_type` unless the body is JSON and not encoded.

    Forms and plain text are what any web page may send to any server without asking it first.
    """
    headers = request.headers
    if any(value.strip().lower() not in ("", "identity") for value in headers.getlist("content-encoding")):
        raise _unsupported("a body with a content encoding is not read", {"Accept-Encoding": "identity"})
    if any(value.strip().lower() != "chunked" for value in headers.getlist("transfer-encoding")):
        raise _unsupported("of transfer codings, only chunked is read", {})
    types = headers.getlist("content-type")
    there_is_one = "transfer-encoding" in headers or headers.get("content-length", "0") != "0"
    if not all(map(_is_json.fullmatch, types)) or (there_is_one and not types):
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
