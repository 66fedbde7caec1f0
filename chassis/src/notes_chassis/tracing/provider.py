"""OpenTelemetry's SDK with the OTLP exporter over HTTP. All of its settings are read by the SDK itself.

Spans wait in a bounded queue, and a thread of the SDK sends them: a collector that is away, slow or hostile costs
spans, never a request or a batch. Failures are logged once a minute.
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

LOG_EVERY_S: Final = 60.0
"""Seconds between two lines about spans that were not exported."""
ANSWER_BYTES: Final = 64 * 1024
"""Bytes of a collector's answer that are read."""


class SpanIds(RandomIdGenerator):
    """Random ids. `next` and `next_trace`, unless 0, are the ids of the next span and of the next trace."""

    def __init__(self) -> None:
        self.next = 0
        self.next_trace = 0

    def generate_trace_id(self) -> int:
        """Return `next_trace` once, else a random id."""
        chosen = self.next_trace
        self.next_trace = 0
        return chosen or super().generate_trace_id()

    def generate_span_id(self) -> int:
        """Return `next` once, else a random id."""
        chosen = self.next
        self.next = 0
        return chosen or super().generate_span_id()


def exporting(service: str, version: str) -> TracerProvider:
    """Return a provider that exports this service's spans. Raises ValueError for a setting that the SDK refuses."""
    named = Resource({"service.name": service, "service.version": version})
    provider = TracerProvider(
        resource=Resource.create().merge(named).merge(OTELResourceDetector().detect()),
        id_generator=SpanIds(),
        shutdown_on_exit=False,  # it would wait for half a minute
    )
    provider.add_span_processor(BatchSpanProcessor(LoggedExporter(CollectorSession())))
    return provider


class CollectorSession(requests.Session):
    """Reads at most ANSWER_BYTES of each answer. `answer`: the outcome of the last request, in words."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = ""

    def request(self, method: str, url: str | bytes, *args: Any, **named: Any) -> requests.Response:
        """Send a request to the collector."""
        self.answer = "no answer"
        try:
            answer = super().request(method, url, *args, **{**named, "stream": True})
            self.answer = f"HTTP {answer.status_code}"
            answer.raw.read(ANSWER_BYTES)
        except Exception as error:
            self.answer = type(error).__name__
            raise
        return answer


class LoggedExporter(OTLPSpanExporter):
    """Logs in its own words that spans cannot be exported: OpenTelemetry's log quotes the address and the answer."""

    def __init__(self, session: CollectorSession) -> None:
        super().__init__(session=session)
        self._collector = session
        self._lost = 0
        self._logged_at = float("-inf")

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send the spans. Called in the SDK's thread."""
        result = super().export(spans)
        if result is not SpanExportResult.SUCCESS:
            self._lost += len(spans)
            if time.monotonic() - self._logged_at >= LOG_EVERY_S:
                log.warning("spans were not exported", reason=self._collector.answer, spans=self._lost)
                self._lost = 0
                self._logged_at = time.monotonic()
        return result
