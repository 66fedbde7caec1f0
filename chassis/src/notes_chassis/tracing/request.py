"""The span of one HTTP request that is sampled."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import Any

from opentelemetry.trace import Span, SpanContext

from notes_chassis.tracing import named
from notes_chassis.tracing.context import failed, log_fields, traceparent_of


class RequestTrace:
    """It is `at_hand` while the request is answered, and named in log lines. `parent` and `state`: for its children."""

    def __init__(self, span: Span, method: str, state: str | None) -> None:
        self._span, self._method = span, method
        self.parent, self.state = traceparent_of(span), state
        self.scope: Mapping[str, Any] = {}
        self._ended = False

    @contextmanager
    def answering(self) -> Iterator[None]:
        """Answer the request in the block; whatever ends that ends the span, too."""
        token = at_hand.set(self)
        try:
            with named(partial(log_fields, self._span)):
                yield
        except BaseException as error:
            # The middleware around all others answers 500; who has left gets no answer.
            self.end(500 if isinstance(error, Exception) else None, type(error).__qualname__)
            raise
        finally:
            at_hand.reset(token)
            self.end(None, "no answer")

    def woken(self, processed: Callable[[str], SpanContext | None]) -> None:
        """Note that what it waited for is there; `processed` returns the message about something that it asks for."""
        if self._ended:
            return
        self._span.add_event("woken")
        for key in self.scope.get("path_params", {}).values():
            if (message := processed(str(key))) is not None:
                self._span.add_link(message)

    def end(self, status: int | None, error: str | None = None) -> None:
        """End it, once: with the answer's status if there is one, and the kind of an error."""
        if self._ended:
            return
        self._ended = True
        if (route := getattr(self.scope.get("route"), "path", None)) is not None:  # the router's
            self._span.update_name(f"{self._method} {route}")
            self._span.set_attribute("http.route", route)
        if status is not None:
            self._span.set_attribute("http.response.status_code", status)
        if status is None or status >= 500:
            failed(self._span, error or str(status))
        self._span.end()


at_hand: ContextVar[RequestTrace | None] = ContextVar("at_hand", default=None)
