"""An OTLP/HTTP collector in this process, which keeps what it is sent, or behaves badly."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue

LOOK_EVERY_S = 0.05


@dataclass(frozen=True)
class Span:
    """A span as it was exported: ids in hex, `parent` empty for none. `links`: trace and span id of each."""

    service: str
    name: str
    kind: int
    trace: str
    id: str
    parent: str
    attributes: dict[str, str | int]
    links: list[tuple[str, str]]
    events: list[str]
    error: bool

    @property
    def place(self) -> tuple[str, str]:
        """What others link to."""
        return self.trace, self.id


@dataclass
class Collector:
    """`status`: what it answers; `hangs_s`: how long that takes; `answer`: the body; `answered`: how often it has."""

    address: str = ""
    status: int = 200
    hangs_s: float = 0.0
    answer: bytes = b""
    spans: list[Span] = field(default_factory=list)
    raw: list[bytes] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    answered: int = 0

    def take(self, body: bytes) -> None:
        request = ExportTraceServiceRequest.FromString(body)
        self.raw.append(body)
        for group in request.resource_spans:
            service = {one.key: value_of(one.value) for one in group.resource.attributes}["service.name"]
            for span in (one for scope in group.scope_spans for one in scope.spans):
                self.spans.append(
                    Span(
                        str(service),
                        span.name,
                        span.kind,
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        {one.key: value_of(one.value) for one in span.attributes},
                        [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
                        [event.name for event in span.events],
                        span.status.code == 2,
                    )
                )

    def named(self, name: str, trace: str | None = None) -> list[Span]:
        return [span for span in self.spans if span.name == name and trace in (None, span.trace)]

    def wait_for(self, found: Callable[[], Sequence[Span]], within_s: float = 20.0) -> Sequence[Span]:
        """Return what is found once there is something; fail with the names of what came."""
        deadline = time.monotonic() + within_s
        while not (spans := found()):
            assert time.monotonic() < deadline, sorted({span.name for span in self.spans})
            time.sleep(LOOK_EVERY_S)
        return spans


def value_of(value: AnyValue) -> str | int:
    return value.int_value if value.HasField("int_value") else value.string_value


@contextmanager
def collecting() -> Iterator[Collector]:
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            collector.paths.append(self.path)
            if collector.status == 200:
                collector.take(body)
            time.sleep(collector.hangs_s)
            collector.answered += 1
            self.send_response(collector.status)
            self.send_header("Content-Length", str(len(collector.answer)))
            self.end_headers()
            self.wfile.write(collector.answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, *_: object) -> None:
            """Clients that leave are no news."""

    with Server(("127.0.0.1", 0), Handler) as server:
        collector.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
        thread.start()
        try:
            yield collector
        finally:
            server.shutdown()
            thread.join()
