"""OpenTelemetry's SDK with the OTLP exporter over HTTP. All of its settings are read by the SDK itself.

Spans wait in a bounded queue, and a thread of the SDK sends them: a collector that is away, slow or hostile costs
spans, never a request or a batch. What is wrong with it is one line a minute.
"""

import time
from collections.abc import Sequence
from typing import Any, Final

import requests
import structlog
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator

log = structlog.get_logger()

TOLD_S: Final = 60.0
"""Seconds between two lines about spans that were not exported."""
ANSWER_BYTES: Final = 64 * 1024
"""Bytes of a collector's answer that are read."""


class SpanIds(RandomIdGenerator):
    """Random ids, but for a span or a trace whose id was said before it is started."""

    def __init__(self) -> None:
        self.next = self.next_trace = 0

    def generate_trace_id(self) -> int:
        """Return the id that was said, else a random one."""
        said, self.next_trace = self.next_trace, 0
        return said or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """Return the id that was said, else a random one."""
        said, self.next = self.next, 0
        return said or super().generate_span_id()


def exporting(service: str, version: str) -> TracerProvider:
    """Return what makes and exports spans of this service. Raises ValueError for a setting that the SDK refuses."""
    named = Resource({"service.name": service, "service.version": version})
    made = TracerProvider(
        resource=Resource.create().merge(named).merge(OTELResourceDetector().detect()),
        id_generator=SpanIds(),
        shutdown_on_exit=False,  # it would wait for half a minute
    )
    made.add_span_processor(BatchSpanProcessor(ToldExporter(CollectorSession())))
    return made


class CollectorSession(requests.Session):
    """Reads a bounded part of each answer, and remembers how it was."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = ""

    def request(self, method: str, url: str | bytes, *args: Any, **named: Any) -> requests.Response:
        """Ask the collector."""
        self.answer = "no answer"
        try:
            answer = super().request(method, url, *args, **{**named, "stream": True})
            self.answer = f"HTTP {answer.status_code}"
            answer.raw.read(ANSWER_BYTES)
        except Exception as error:
            self.answer = type(error).__name__
            raise
        return answer


class ToldExporter(OTLPSpanExporter):
    """Tells in words of our own what cannot be exported: the exporter's quote the address and the answer."""

    def __init__(self, session: CollectorSession) -> None:
        super().__init__(session=session)
        self._collector = session
        self._lost, self._told_at = 0, float("-inf")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send the spans. Called in the SDK's thread."""
        result = super().export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            if time.monotonic() - self._told_at >= TOLD_S:
                log.warning("spans were not exported", reason=self._collector.answer, spans=self._lost)
                self._lost, self._told_at = 0, time.monotonic()
        return result
