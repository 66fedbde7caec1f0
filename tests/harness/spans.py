"""Tracing whose spans stay in memory."""

from dataclasses import dataclass

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import DEFAULT_ON, Sampler
from opentelemetry.trace import SpanContext

from notes_chassis.tracing.provider import SpanIds
from notes_chassis.tracing.spans import Tracing
from notes_contracts.cloudevents import valid_trace

TRACE, SENDER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SENDER}-01", f"00-{TRACE}-{SENDER}-00"


@dataclass(frozen=True)
class Spans:
    """`tracing` is what is tested, `kept` what has ended."""

    tracing: Tracing
    kept: InMemorySpanExporter

    def named(self, *names: str) -> list[ReadableSpan]:
        return [span for span in self.kept.get_finished_spans() if span.name.startswith(names)]

    def names(self) -> list[str]:
        return sorted(span.name for span in self.kept.get_finished_spans())


def in_memory(sampler: Sampler = DEFAULT_ON) -> Spans:
    kept = InMemorySpanExporter()
    provider = TracerProvider(sampler, Resource({}), shutdown_on_exit=False, id_generator=SpanIds())
    provider.add_span_processor(SimpleSpanProcessor(kept))
    return Spans(Tracing(provider, valid_trace), kept)


def parent_of(span: ReadableSpan) -> tuple[str, str]:
    assert span.parent is not None, "it has none"
    return place_of(span.parent)


def place_of(context: SpanContext) -> tuple[str, str]:
    return f"{context.trace_id:032x}", f"{context.span_id:016x}"


def links_of(span: ReadableSpan) -> list[tuple[str, str]]:
    return [place_of(link.context) for link in span.links]
