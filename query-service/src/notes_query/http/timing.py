"""Times requests by route."""

from time import perf_counter
from typing import Any

from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notes_query.monitoring import metrics

NO_ROUTE = "none"
"""Paths that are not served share one label: else a client could make as many as it likes."""


class RequestTimes:
    """ASGI middleware. The clock stops with the first byte: how fast a client reads says nothing about this service."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._routes: dict[Any, str] = {}
        self._observe: dict[tuple[Any, int], Any] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, and note how long it took."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        started = perf_counter()
        answered = False

        async def timed(message: Message) -> None:
            nonlocal answered
            if not answered and message["type"] == "http.response.start":
                answered = True
                self._note(scope, message["status"], perf_counter() - started)
            await send(message)

        try:
            await self.app(scope, receive, timed)
        except Exception:
            if not answered:  # the middleware around this one answers 500
                self._note(scope, 500, perf_counter() - started)
            raise

    def _note(self, scope: Scope, status: int, seconds: float) -> None:
        # The router leaves the endpoint behind, which is one for each route.
        key = (scope.get("endpoint"), status)
        observe = self._observe.get(key)
        if observe is None:
            observe = metrics.REQUEST_SECONDS.labels(self._route(scope), str(status)).observe
            self._observe[key] = observe
        observe(seconds)

    def _route(self, scope: Scope) -> str:
        if (route := scope.get("route")) is not None:  # FastAPI's own
            return str(route.path)
        if not self._routes:  # Starlette's do not tell; they are the application's, never an included router's
            found = [route for route in scope["app"].routes if isinstance(route, Route)]
            self._routes = {route.endpoint: route.path for route in found}
        return self._routes.get(scope.get("endpoint"), NO_ROUTE)
