"""uvicorn's protocol on httptools, with limits. It reaches into both: the tests send raw bytes to a real socket."""

import asyncio
from collections.abc import Callable, Iterator
from typing import Any, Final

import httptools
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from notes_chassis.http.endings import ABORT, until_closed
from notes_chassis.http.limits import PIPELINED, REFUSED, HttpLimits
from notes_chassis.http.problems import MEDIA_TYPE, RETRY_AFTER_S, problem_body, problem_response

LINGER_S: Final = 5.0
"""Seconds in which the rest of a request that was answered early is still read: else its sender sees no answer."""
CHUNK_OVERHEAD: Final = 32
"""Bytes around each chunk of a body; what is beyond them, extensions and trailers, counts as headers do."""

UPGRADE: Final = (b"upgrade", b"http2-settings")

IDLE, HEAD, BODY, ARRIVED, CLOSING = range(5)
"""What a connection waits for: a request, the rest of its headers, the rest of its body, nothing, its end."""


class Protocol(HttpToolsProtocol):
    """A connection. `look`, called every second, ends it if it is late."""

    def __init__(self, config: Any, *args: Any, **named: Any) -> None:
        super().__init__(config, *args, **named)
        self.limits: HttpLimits = config.limits
        self.stage = IDLE
        self.since = 0.0
        self.unanswered = 0
        self._due = 0.0
        self._extensions: dict[str, Any] = {}
        self._head = self._body = self._around = self._chunks = 0
        self._upgrading = False
        self.untaken_since = float("inf")
        self._full: Callable[[Protocol], bool] = config.full
        self._slow: Callable[[], None] = config.slow

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin; a connection too many is told so and closed."""
        super().connection_made(transport)
        self._extensions = {ABORT: {"connection": transport.abort}}
        self._enter(IDLE, self.limits.http_head_s)
        if self._full(self):
            REFUSED.labels("connections").inc()
            self._end_with(503, "unavailable", "too many connections; try again", f"retry-after: {RETRY_AFTER_S}\r\n")

    @property
    def waits(self) -> bool:
        """Return whether no request of this connection has arrived and is not answered yet."""
        return self.stage != ARRIVED and self.unanswered <= (self.stage == BODY)

    def data_received(self, data: bytes) -> None:
        """Read on, within the limits."""
        if self.stage == CLOSING or self.transport.is_closing():
            return
        if self.stage == IDLE:
            self._enter(HEAD, self.limits.http_head_s)
        before, body = self.stage, self._body
        self._upgrading = False
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("the request is not HTTP/1.1 as RFC 9112 defines it")
        if self.stage == HEAD:
            self._head += len(data)
            if self._head > self.limits.http_header_bytes + self.limits.http_target_bytes:
                self._refuse_head()
        elif self.stage == BODY == before:
            self._around += len(data) - (self._body - body)
            if self._around > self.limits.http_header_bytes + CHUNK_OVERHEAD * self._chunks:
                self._refuse_head()

    def on_message_begin(self) -> None:
        """Begin a request."""
        if len(self.pipeline) >= PIPELINED:
            REFUSED.labels("pipelined").inc()
            self.transport.abort()
            raise httptools.HttpParserError  # which ends the parsing of what has come with it
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._head = self._body = self._around = self._chunks = 0
        self._enter(HEAD, self.limits.http_head_s)

    def on_headers_complete(self) -> None:
        """Hand the request to the app, or to what refuses it."""
        if self.parser.should_upgrade():
            # httptools takes what follows for another protocol. None is spoken here, and RFC 9110 lets us ignore the
            # offer: `data_received` reads the request again without it.
            self._upgrading = True
            return
        app, refusal = self.app, self._refusal()
        self.app = self.app if refusal is None else refusal
        try:
            super().on_headers_complete()
        finally:
            self.app = app
        if self.scope["http_version"] == "1.0":
            self.cycle.send = until_closed(self.cycle)  # type: ignore[assignment, method-assign]
        self.headers = []  # trailers end here, and not among the headers of a request that is being answered
        self.unanswered += 1
        self.stage = BODY
        self._due = self.since + self.limits.http_arrive_s + LINGER_S  # the app, if it reads, is the first to give up

    def on_chunk_header(self) -> None:
        """Count a chunk; called by httptools."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body, if somebody will read it."""
        self._body += len(body)
        if self.cycle.response_complete or self.scope["method"] != "POST":
            if self._body > self.limits.http_body_bytes:
                REFUSED.labels("body").inc()
                self.transport.abort()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if not self._upgrading:
            super().on_message_complete()
            self.stage = ARRIVED

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of this one."""
        super().on_response_complete()
        self.unanswered -= 1
        if self.stage == ARRIVED and not self.unanswered:
            self._enter(IDLE, self.limits.http_keep_alive_s)
        elif self.stage == BODY and not self.unanswered:
            self.cycle.body.clear()
            self._due = min(self._due, self.loop.time() + LINGER_S)

    def shutdown(self) -> None:
        """Close soon: at once where nothing is being answered."""
        if self.waits:
            self.transport.close()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Begin to keep what the client does not take. Called by the transport."""
        super().pause_writing()
        self._slow()

    def look(self, now: float) -> None:
        """End the connection if its client is late with a request, or in taking an answer."""
        if not self.transport.get_write_buffer_size():
            self.untaken_since = float("inf")
        elif now - self.untaken_since > self.limits.http_take_s:
            REFUSED.labels("take").inc()
            self.transport.abort()
        else:
            self.untaken_since = min(self.untaken_since, now)
        if self.stage == ARRIVED or now < self._due or self.transport.is_closing():
            return
        if self.stage == CLOSING and self.unanswered:
            return
        if self.stage == HEAD and self.unanswered:
            self._due = now + self.limits.http_head_s  # the one before it is being answered
        elif self.stage == HEAD:
            REFUSED.labels("head").inc()
            self._end_with(408, "request_timeout", f"no whole request within {self.limits.http_head_s:g} s")
        elif self.stage == BODY and not self.cycle.response_complete:
            REFUSED.labels("arrive").inc()
            self._end_with(408, "request_timeout", f"no whole request within {self.limits.http_arrive_s:g} s")
        elif self.stage == IDLE:
            self.transport.close()
        else:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer what is not HTTP. Called by uvicorn, too."""
        if self.transport.is_closing():
            return
        REFUSED.labels("malformed").inc()
        self._end_with(400, "bad_request", msg)

    def _enter(self, stage: int, seconds: float) -> None:
        self.stage = stage
        self.since = self.loop.time()
        self._due = self.since + seconds

    def _refusal(self) -> ASGIApp | None:
        if len(self.url) > self.limits.http_target_bytes:
            REFUSED.labels("target").inc()
            most = self.limits.http_target_bytes
            return problem_response(414, "too_large", f"more than {most} bytes of path and query")
        size = hosts = 0
        for name, value in self.headers:
            size += len(name) + len(value)
            hosts += name == b"host"
        if hosts != 1 and (hosts or self.parser.get_http_version() != "1.0"):
            REFUSED.labels("malformed").inc()
            return problem_response(400, "bad_request", "one header Host is needed (RFC 9112, 3.2)")
        if size > self.limits.http_header_bytes:
            REFUSED.labels("headers").inc()
            return problem_response(431, "too_large", f"more than {self.limits.http_header_bytes} bytes of headers")
        return None

    def _refuse_head(self) -> None:
        REFUSED.labels("headers").inc()
        self._end_with(431, "too_large", f"more than {self.limits.http_header_bytes} bytes of headers")

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        if self.parser.get_method() == b"CONNECT":
            self.send_400_response("this is no proxy")
            return
        method, version = self.parser.get_method(), self.parser.get_http_version().encode()
        head = b"".join([method, b" ", self.url, b" HTTP/", version, b"\r\n", *_without_upgrade(self.headers), b"\r\n"])
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(head + rest)

    def _end_with(self, status: int, code: str, detail: str, headers: str = "") -> None:
        """Answer and close, whatever else was to come. Where that would be a second answer, just close."""
        cycle, answering = self.cycle, self.unanswered > 0
        if answering and self.stage != BODY:  # those before it are answered first
            cycle.keep_alive = False
            self._enter(CLOSING, LINGER_S)
            return
        if answering:
            cycle.disconnected = True
            cycle.message_event.set()
        if self.pipeline or (answering and cycle.response_started) or (self.stage == BODY and not answering):
            self.transport.abort()
            return
        body = problem_body(status, code, detail)
        length = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + headers.encode() + length.encode() + body)
        self.transport.write_eof()
        self._enter(CLOSING, LINGER_S)  # closed at once, with bytes unread, the client might see a reset instead


def _without_upgrade(headers: list[tuple[bytes, bytes]]) -> Iterator[bytes]:
    for name, value in headers:
        if name == b"connection":
            tokens = [token for token in value.split(b",") if token.strip().lower() not in UPGRADE]
            yield b"connection: %s\r\n" % b",".join(tokens)
        elif name not in UPGRADE:
            yield b"%s: %s\r\n" % (name, value)
