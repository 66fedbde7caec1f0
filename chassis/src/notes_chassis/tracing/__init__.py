"""What needs nothing of OpenTelemetry: trace contexts as texts, and which span is at work, for the log.

A task that outlives the span, as a client's that a request has started, names none.
"""

from collections.abc import Callable, Iterator, MutableMapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Trace = tuple[str | None, str | None]
"""`traceparent` and `tracestate`."""
ValidTrace = Callable[[str | None, str | None], Trace]
"""Returns what is valid of both; None for the rest."""
Fields = Callable[[], dict[str, str]]

_at_work: ContextVar[Fields | None] = ContextVar("span_at_work", default=None)


@contextmanager
def named(fields: Fields) -> Iterator[None]:
    """Have log lines of the block carry what `fields` returns when they are written."""
    token = _at_work.set(fields)
    try:
        yield
    finally:
        _at_work.reset(token)


def name_span(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Add the ids of the span that is at work, if there is one; a processor of structlog."""
    if (fields := _at_work.get()) is not None:
        event.update(fields())
    return event
