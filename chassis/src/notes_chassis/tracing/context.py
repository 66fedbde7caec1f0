"""Trace contexts as in headers, and functions for any span."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import Final

from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, Span, SpanContext, StatusCode, TraceFlags, set_span_in_context
from opentelemetry.trace.span import TraceState

from notes_chassis.tracing import Trace, named

LINKS: Final = 128
"""Messages that the span of a batch is linked to, at most."""
NOBODY: Final = Context()
"""The parent of spans that have none."""
SAMPLED: Final = frozenset("13579bdf")
"""The last character of a `traceparent` whose trace is sampled."""


def is_sampled(traceparent: str | None) -> bool:
    """Return whether a valid `traceparent` of version 00 is sampled."""
    return traceparent is not None and traceparent[-1] in SAMPLED


def traceparent_of(span: Span) -> str:
    """Return the `traceparent` for a span's children."""
    context = span.get_span_context()
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"


def log_fields(span: Span) -> dict[str, str]:
    """Return the fields of log lines that name a span; none after it has ended."""
    if not span.is_recording():
        return {}
    context = span.get_span_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def failed(span: Span, error: str) -> None:
    """Mark a span as failed."""
    span.set_attribute("error.type", error)
    span.set_status(StatusCode.ERROR)


@contextmanager
def ending(span: Span) -> Iterator[None]:
    """Name a span in the log lines of the block, and end it with the block, as failed if that raises."""
    try:
        with named(partial(log_fields, span)) if span.is_recording() else nullcontext():
            yield
    except BaseException as error:
        failed(span, type(error).__qualname__)
        raise
    finally:
        span.end()


def link(span: Span, traces: Iterable[Trace]) -> int:
    """Link a span to the first LINKS of the traces; return the number of links."""
    linked = 0
    for parent, state in traces:
        if parent is not None:
            span.add_link(context_in(parent, state))
            linked += 1
            if linked == LINKS:
                break
    return linked


def child_of(parent: str | None, state: str | None) -> Context:
    """Return the context for children of a valid trace context, NOBODY if `parent` is None."""
    return NOBODY if parent is None else set_span_in_context(NonRecordingSpan(context_in(parent, state)), NOBODY)


def context_in(parent: str, state: str | None) -> SpanContext:
    """Return a valid `traceparent` of version 00 and its `tracestate` as a SpanContext."""
    _, trace_id, span_id, flags = parent.split("-")
    return SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=None if state is None else TraceState.from_header([state]),
    )
