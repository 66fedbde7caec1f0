"""The middleware for every answer: HEAD wherever there is GET, times by route, gzip."""

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, Final

from prometheus_client import Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

IS_HEAD: Final = "notes.head"
"""The key of a scope whose method GET stands for HEAD: an endpoint need not begin a stream."""
NO_ROUTE: Final = "none"
"""The label of all paths that are not served: else a client could create as many labels as it likes."""
GZIP_MIN_BYTES: Final = 1024
"""Size of an answer from which it is compressed."""
GZIP_INLINE_BYTES: Final = 16 * 1024
"""Size up to which the event loop compresses an answer, in half a millisecond; a thread compresses larger ones."""
MAX_CONCURRENT_GZIPS: Final = 2
"""Larger answers that are compressed at the same time; meanwhile others are sent as they are."""
_LEVEL: Final = 5
_GZIP: Final = 16 + zlib.MAX_WBITS
_TYPES: Final = ("application/json", "application/problem+json", "application/javascript", "text/", "image/svg+xml")
_STREAM: Final = "text/event-stream"


class Answers:
    """The outermost ASGI middleware. It does several jobs, since each middleware more would cost as much as this one.

    HEAD is answered as GET without its body, and ends with the first part of the body.
    `times`: the duration of requests, by the labels `route` and `status`, up to the first byte: how fast a client reads
    says nothing about a service. `gzip`: long answers are compressed for clients that accept it, except answers in
    several parts, such as streams, and answers that are encoded already.
    """

    def __init__(self, app: ASGIApp, times: Histogram | None = None, *, gzip: bool = False) -> None:
        self._app = app
        self._times = times
        self.gzip = Gzip() if gzip else None
        self._routes: dict[Any, str] = {}
        self._observe: dict[tuple[Any, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        head = scope["method"] == "HEAD"
        if head:
            scope = {**scope, "method": "GET", IS_HEAD: True}
        answer = _Answer(self, scope, send, head=head)
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            if not answer.begun:  # the middleware around this one answers 500
                self.note(scope, 500, answer.asked_at)
            raise

    def note(self, scope: Scope, status: int, asked_at: float) -> None:
        """Note how long a request took that began at `asked_at`, a time of `perf_counter`."""
        if self._times is None:
            return
        # The router has put the endpoint into the scope; each route has another one.
        key = (scope.get("endpoint"), status)
        if (observe := self._observe.get(key)) is None:
            observe = self._observe[key] = self._times.labels(self._route(scope), str(status)).observe
        observe(perf_counter() - asked_at)

    def _route(self, scope: Scope) -> str:
        if (route := scope.get("route")) is not None:  # a route of FastAPI
            return str(route.path)
        if not self._routes:  # a route of Starlette is not in the scope; the application has it, never a router
            routes = [route for route in scope["app"].routes if isinstance(route, Route)]
            self._routes = {route.endpoint: route.path for route in routes}
        return self._routes.get(scope.get("endpoint"), NO_ROUTE)


class _Answer:
    """One answer on its way to the client."""

    __slots__ = ("_answers", "_ended", "_head", "_held", "_scope", "_send", "asked_at", "begun")

    def __init__(self, answers: Answers, scope: Scope, send: Send, *, head: bool) -> None:
        self._answers = answers
        self._scope = scope
        self._send = send
        self._head = head
        self._held: Message | None = None
        self.asked_at = perf_counter()
        self.begun = False
        self._ended = False

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on."""
        gzip = self._answers.gzip
        if message["type"] == "http.response.start":
            if gzip is not None and is_compressible(message):
                self._held = message
            else:
                await self._begin(message)
            return
        if self._held is not None and gzip is not None:
            start = self._held
            self._held = None
            if message["type"] == "http.response.body" and not message.get("more_body"):
                message = await gzip(self._scope, start, message)
            await self._begin(start)
        if not self._head:
            await self._send(message)
        elif not self._ended:
            self._ended = True
            await self._send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _begin(self, start: Message) -> None:
        self.begun = True
        self._answers.note(self._scope, start["status"], self.asked_at)
        await self._send(start)


class Gzip:
    """Compresses bodies: short ones on the event loop, long ones in a few threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(MAX_CONCURRENT_GZIPS, thread_name_prefix="gzip")
        self._in_threads = 0

    async def __call__(self, scope: Scope, start: Message, message: Message) -> Message:
        """Return the whole body of an answer, compressed if the client accepts that; change the headers accordingly."""
        headers = MutableHeaders(raw=start["headers"])
        if "accept-encoding" not in ",".join(headers.getlist("vary")).lower():
            headers.append("Vary", "Accept-Encoding")
        start["headers"] = headers.raw
        if not accepts_gzip(Headers(scope=scope).getlist("accept-encoding")):
            return message
        body = message["body"]
        if len(body) <= GZIP_INLINE_BYTES:
            packed = _packed(body)
        elif self._in_threads < MAX_CONCURRENT_GZIPS:
            self._in_threads += 1
            try:
                packed = await asyncio.get_running_loop().run_in_executor(self._threads, _packed, body)
            finally:
                self._in_threads -= 1
        else:
            return message
        headers["Content-Encoding"] = "gzip"
        headers["Content-Length"] = str(len(packed))
        if (etag := headers.get("etag", "")).startswith('"'):
            # A strong tag would say that the bytes are the same.
            headers["ETag"] = f"W/{etag}"
        start["headers"] = headers.raw
        return {**message, "body": packed}


def is_compressible(start: Message) -> bool:
    """Return whether an answer is long enough, a text, no stream, and not encoded yet."""
    length = kind = b""
    for name, value in start["headers"]:
        if name == b"content-length":
            length = value
        elif name == b"content-type":
            kind = value
        elif name == b"content-encoding":
            return False
    if not length.isdigit() or int(length) < GZIP_MIN_BYTES:
        return False
    text = kind.decode("latin-1").lower()
    return text.startswith(_TYPES) and not text.startswith(_STREAM)


def accepts_gzip(lines: list[str]) -> bool:
    """Return whether lines of `Accept-Encoding` name gzip, or have `*`, and do not refuse it with `q=0`."""
    found: dict[str, bool] = {}
    for part in ",".join(lines).split(","):
        name, _, parameters = part.partition(";")
        found[name.strip().lower()] = _quality(parameters) > 0
    return found.get("gzip", found.get("x-gzip", found.get("*", False)))


def _quality(parameters: str) -> float:
    """Return the number of `q=`, 1 without it, 0 if it is not a number."""
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
