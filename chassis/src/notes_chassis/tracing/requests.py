"""The span of one HTTP request that is sampled."""

from collections.abc import Callable, Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, Self

import structlog
from opentelemetry.trace import Span, SpanContext

from notes_chassis.tracing.context import failed, log_fields, traceparent_of


class RequestTrace:
    """While it is entered it is `at_hand`, and names itself in log lines. `parent` and `state`: for its children."""

    def __init__(self, span: Span, method: str, state: str | None) -> None:
        self._span, self._method = span, method
        self.parent, self.state = traceparent_of(span), state
        self.scope: Mapping[str, Any] = {}
        self._ended = False

    def __enter__(self) -> Self:
        self._token: Token[RequestTrace | None] = at_hand.set(self)
        self._logged = structlog.contextvars.bind_contextvars(**log_fields(self._span))
        return self

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> None:
        at_hand.reset(self._token)
        structlog.contextvars.reset_contextvars(**self._logged)
        if not self._ended:
            self.end(500, "no answer" if error is None else type(error).__qualname__)

    def woken(self, processed: Callable[[str], SpanContext | None]) -> None:
        """Note that what it waited for is there; `processed` returns the message about something that it asks for."""
        if self._ended:
            return
        self._span.add_event("woken")
        for key in self.scope.get("path_params", {}).values():
            if (message := processed(str(key))) is not None:
                self._span.add_link(message)

    def end(self, status: int, error: str | None = None) -> None:
        """End it: the answer has this status, by an error of this kind. The router has left the route behind."""
        if self._ended:
            return
        self._ended = True
        if (route := getattr(self.scope.get("route"), "path", None)) is not None:
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            failed(self._span, error or str(status))
        self._span.end()


at_hand: ContextVar[RequestTrace | None] = ContextVar("at_hand", default=None)
