"""A span for each request. Probes have none; path and query are in none, since they hold what somebody typed."""

from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notes_chassis.http.answers import ASKED

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing

UNTRACED: Final = frozenset({"/livez", "/readyz", "/metrics"})
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
"""Others share one name: else a client could make as many as it likes."""
_PARENT: Final = b"traceparent"
_STATE: Final = b"tracestate"
_CONTEXT: Final = frozenset({_PARENT, _STATE})


class Traces:
    """ASGI middleware, around the guard.

    A sampled request is passed on with its own span as `traceparent`, so that whatever continues the sender's trace
    continues it from there; any other just as it came. The span ends with the answer's first byte, as the time of
    `Answers` does: a stream would have one of hours.
    """

    def __init__(self, app: ASGIApp, tracing: "Tracing") -> None:
        self._app, self._tracing = app, tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        parents, states = list[str](), list[str]()
        for name, value in scope["headers"]:
            if name in _CONTEXT:
                (parents if name == _PARENT else states).append(value.decode("latin-1"))
        asked = "HEAD" if ASKED in scope else scope["method"]
        method = asked if asked in METHODS else "_OTHER"
        parent = parents[0] if len(parents) == 1 else None
        trace = self._tracing.request(method, scope["scheme"], (parent, ",".join(states)))
        if trace is None:
            await self._app(scope, receive, send)
            return
        ours = [(_PARENT, trace.parent.encode()), *([] if trace.state is None else [(_STATE, trace.state.encode())])]
        scope["headers"] = [pair for pair in scope["headers"] if pair[0] not in _CONTEXT] + ours
        trace.scope = scope

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                trace.end(message["status"])
            await send(message)

        with trace.answering():
            await self._app(scope, receive, sending)
