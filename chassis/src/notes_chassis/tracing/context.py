"""Trace contexts as headers have them, and what is the same for every span."""

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
"""How a `traceparent` ends whose trace is kept."""


def is_sampled(traceparent: str | None) -> bool:
    """Say whether a valid `traceparent` of version 00 says that its trace is kept."""
    return traceparent is not None and traceparent[-1] in SAMPLED


def traceparent_of(span: Span) -> str:
    """Return what a span's children are told."""
    at = span.get_span_context()
    return f"00-{at.trace_id:032x}-{at.span_id:016x}-{at.trace_flags:02x}"


def log_fields(span: Span) -> dict[str, str]:
    """Return what names a span in the log until it ends."""
    if not span.is_recording():
        return {}
    at = span.get_span_context()
    return {"trace_id": f"{at.trace_id:032x}", "span_id": f"{at.span_id:016x}"}


def failed(span: Span, error: str) -> None:
    """Mark a span as failed."""
    span.set_attribute("error.type", error)
    span.set_status(StatusCode.ERROR)


@contextmanager
def ending(span: Span) -> Iterator[None]:
    """Name a span in the log lines of the block, and end it with that, failed if it raises."""
    try:
        with named(partial(log_fields, span)) if span.is_recording() else nullcontext():
            yield
    except BaseException as error:
        failed(span, type(error).__qualname__)
        raise
    finally:
        span.end()


def link(span: Span, traces: Iterable[Trace]) -> int:
    """Link a span to the first of the traces; return to how many."""
    linked = 0
    for parent, state in traces:
        if parent is not None:
            span.add_link(context_in(parent, state))
            linked += 1
            if linked == LINKS:
                break
    return linked


def child_of(parent: str | None, state: str | None) -> Context:
    """Return the context of what a valid trace context is the parent of."""
    return NOBODY if parent is None else set_span_in_context(NonRecordingSpan(context_in(parent, state)), NOBODY)


def context_in(parent: str, state: str | None) -> SpanContext:
    """Return what a valid `traceparent` of version 00 and its `tracestate` say."""
    _, trace_id, span_id, flags = parent.split("-")
    return SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(int(flags, 16)),
        trace_state=None if state is None else TraceState.from_header([state]),
    )
