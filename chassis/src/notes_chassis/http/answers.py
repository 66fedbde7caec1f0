"""What is done to every answer, in one place: HEAD wherever there is GET, times by route, gzip."""

from time import perf_counter
from typing import Any, Final

from prometheus_client import Histogram
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notes_chassis.http.gzip import Gzip, is_compressible

ASKED: Final = "notes.head"
"""The key of a scope that says that GET stands for HEAD: what answers with a stream need not begin one."""
NO_ROUTE: Final = "none"
"""Paths that are not served share one label: else a client could make as many as it likes."""


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
