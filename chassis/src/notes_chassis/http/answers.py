"""What is done to every answer, in one place: HEAD wherever there is GET, times by route, gzip."""

import asyncio
import zlib
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, Final

from prometheus_client import Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASKED: Final = "notes.head"
"""The key of a scope that says that GET stands for HEAD: what answers with a stream need not begin one."""
NO_ROUTE: Final = "none"
"""Paths that are not served share one label: else a client could make as many as it likes."""
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


class Answers:
    """ASGI middleware, the outermost one: each would cost every request as much as this one does.

    HEAD is answered as GET would be, without its body, and ends with the first part of one.
    `times`: of requests, by the labels `route` and `status`. The clock stops with the first byte: how fast a client
    reads says nothing about a service. `gzip`: long answers are compressed for whoever asks for that; those in parts,
    as streams are, and those that are encoded already are passed on as they are.
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
            scope = {**scope, "method": "GET", ASKED: True}
        answer = _Answer(self, scope, send, head=head)
        try:
            await self._app(scope, receive, answer.send)
        except Exception:
            if not answer.begun:  # the middleware around this one answers 500
                self.note(scope, 500, answer.asked_at)
            raise

    def note(self, scope: Scope, status: int, asked_at: float) -> None:
        """Note how long a request took, which was asked at that time of `perf_counter`."""
        if self._times is None:
            return
        # The router leaves the endpoint behind, which is one for each route.
        key = (scope.get("endpoint"), status)
        if (observe := self._observe.get(key)) is None:
            observe = self._observe[key] = self._times.labels(self._route(scope), str(status)).observe
        observe(perf_counter() - asked_at)

    def _route(self, scope: Scope) -> str:
        if (route := scope.get("route")) is not None:  # FastAPI's own
            return str(route.path)
        if not self._routes:  # Starlette's do not tell; they are the application's, never an included router's
            found = [route for route in scope["app"].routes if isinstance(route, Route)]
            self._routes = {route.endpoint: route.path for route in found}
        return self._routes.get(scope.get("endpoint"), NO_ROUTE)


class _Answer:
    """One of them, on its way to the client."""

    __slots__ = ("_answers", "_ended", "_head", "_held", "_scope", "_send", "asked_at", "begun")

    def __init__(self, answers: Answers, scope: Scope, send: Send, *, head: bool) -> None:
        self._answers, self._scope, self._send, self._head = answers, scope, send, head
        self._held: Message | None = None
        self.asked_at = perf_counter()
        self.begun = self._ended = False

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
            start, self._held = self._held, None
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
    """Compresses bodies: short ones at once, long ones in a few threads."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="gzip")
        self._at_work = 0

    async def __call__(self, scope: Scope, start: Message, message: Message) -> Message:
        """Return the one body of an answer as its client takes it. Changes the headers, too."""
        headers = MutableHeaders(raw=start["headers"])
        if "accept-encoding" not in ",".join(headers.getlist("vary")).lower():
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
