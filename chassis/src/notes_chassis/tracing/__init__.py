"""The parts that import nothing of OpenTelemetry: trace contexts as texts, and the current span's fields for the log.

A task that outlives its span, for example a client's task that a request has started, logs no such fields.
"""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Trace = tuple[str | None, str | None]
"""`traceparent` and `tracestate`."""
ValidTrace = Callable[[str | None, str | None], Trace]
"""Returns `traceparent` and `tracestate`, each None unless it is valid."""
Fields = Callable[[], dict[str, str]]

_current: ContextVar[Fields | None] = ContextVar("current_span", default=None)


@contextmanager
def named(fields: Fields) -> Iterator[None]:
    """Add what `fields` returns to every log line of the block."""
    token = _current.set(fields)
    try:
        yield
    finally:
        _current.reset(token)


def name_span(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the ids of the current span, if there is one; a processor of structlog."""
    if (fields := _current.get()) is not None:
        event.update(fields())
    return event
