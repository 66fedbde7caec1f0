"""The span of one sampled HTTP request."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from opentelemetry.trace import Span, SpanContext

from notes_chassis.tracing import named
from notes_chassis.tracing.context import failed, log_fields, traceparent_of


class RequestTrace:
    """The `current` trace while a request is answered. `parent` and `state`: the trace context for its children."""

    def __init__(self, span: Span, method: str, state: str | None) -> None:
        self._span = span
        self._method = method
        self.parent = traceparent_of(span)
        self.state = state
        self.scope: Mapping[str, Any] = {}
        self._ended = False

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer the request in the block, whose end also ends the span."""
        token = current.set(self)
        try:
            with named(partial(log_fields, self._span)):
                yield
        except BaseException as error:
            # The outermost middleware answers 500 to an exception; a client that has left gets no answer.
            self.end(500 if isinstance(error, Exception) else None, type(error).__qualname__)
            raise
        finally:
            current.reset(token)
            self.end(None, "no answer")

    def woken(self, processed: Callable[[str], SpanContext | None]) -> None:
        """Note that the wait of the request is over, and link the messages about what it asks for.

        `processed` returns the span of the last message about a key, if it is known.
        """
        if self._ended:
            return
        self._span.add_event("woken")
        for key in self.scope.get("path_params", {}).values():
            if (message := processed(str(key))) is not None:
                self._span.add_link(message)

    def end(self, status: int | None, error: str | None = None) -> None:
        """End the span, unless it has ended: with the answer's status if there is one, and the kind of an error."""
        if self._ended:
            return
        self._ended = True
        if (route := getattr(self.scope.get("route"), "path", None)) is not None:  # set by the router
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if status is None or status >= 500:
            failed(self._span, error or str(status))
        self._span.end()


current: ContextVar[RequestTrace | None] = ContextVar("current_request", default=None)
