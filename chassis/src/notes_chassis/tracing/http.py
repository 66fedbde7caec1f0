"""A span for each request except probes. No span holds path or query, since users typed them."""

from typing import TYPE_CHECKING, Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notes_chassis.http.answers import IS_HEAD
from notes_chassis.tracing import Trace

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing

UNTRACED: Final = frozenset({"/livez", "/readyz", "/metrics"})
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
"""All other methods share one name: else a client could create as many names as it likes."""
_PARENT: Final = b"traceparent"
_STATE: Final = b"tracestate"
_CONTEXT: Final = frozenset({_PARENT, _STATE})


class Traces:
    """ASGI middleware, around the guard.

    A sampled request is passed on with its own span as `traceparent`, so that whatever continues the sender's trace
    continues it from there; any other request is passed on as it came. The span ends with the answer's first byte, as
    the time in `Answers` does: the span of a stream would last for hours.
    """

    def __init__(self, app: ASGIApp, tracing: "Tracing") -> None:
        self._app = app
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["path"] in UNTRACED:
            await self._app(scope, receive, send)
            return
        method = "HEAD" if IS_HEAD in scope else scope["method"]
        known_method = method if method in METHODS else "_OTHER"
        trace = self._tracing.request(known_method, scope["scheme"], _context_of(scope))
        if trace is None:
            await self._app(scope, receive, send)
            return
        headers = [pair for pair in scope["headers"] if pair[0] not in _CONTEXT]
        headers.append((_PARENT, trace.parent.encode()))
        if trace.state is not None:
            headers.append((_STATE, trace.state.encode()))
        scope["headers"] = headers
        trace.scope = scope

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                trace.end(message["status"])
            await send(message)

        with trace.answering():
            await self._app(scope, receive, sending)


def _context_of(scope: Scope) -> Trace:
    """Return the request's trace context, not checked. A `traceparent` that is there twice is none."""
    parents, states = list[str](), list[str]()
    for name, value in scope["headers"]:
        if name == _PARENT:
            parents.append(value.decode("latin-1"))
        elif name == _STATE:
            states.append(value.decode("latin-1"))
    return parents[0] if len(parents) == 1 else None, ",".join(states)
