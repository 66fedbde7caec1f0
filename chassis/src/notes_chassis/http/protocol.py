"""uvicorn's protocol on httptools, with limits. It uses internals of both: tests send raw bytes to a real socket."""

import asyncio
from collections.abc import Callable
from enum import IntEnum
from typing import Any, Final

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from notes_chassis.http.endings import ABORT, until_closed
from notes_chassis.http.heads import head_without_upgrade, refusal_of
from notes_chassis.http.limits import PIPELINED, REFUSED, HttpLimits
from notes_chassis.http.problems import MEDIA_TYPE, RETRY_AFTER_S, problem_body

LINGER_S: Final = 5.0
"""Seconds for which the rest of a request is read that was answered early: else its sender may not see the answer."""
CHUNK_OVERHEAD: Final = 32
"""Bytes around each chunk of a body. More than that, extensions and trailers, is limited as headers are."""

Stage = IntEnum("Stage", ["IDLE", "HEAD", "BODY", "ARRIVED", "CLOSING"])
"""What a connection waits for: a request, the rest of its headers, the rest of its body, nothing, its end."""


class Protocol(HttpToolsProtocol):
    """A connection. `check` ends it if its client is late. `since`: the time at which the present stage began."""

    def __init__(self, config: Any, *args: Any, **named: Any) -> None:
        super().__init__(config, *args, **named)
        self.limits: HttpLimits = config.limits
        self.stage = Stage.IDLE
        self.since = 0.0
        self.unanswered = 0
        self._due = 0.0
        self._extensions: dict[str, Any] = {}
        self._reset_counts()
        self._upgrading = False
        self.untaken_since = float("inf")
        self._full: Callable[[Protocol], bool] = config.full
        self._slow: Callable[[], None] = config.slow

    def _reset_counts(self) -> None:
        """Count the bytes of another request: its head, its body, and what is around the chunks of the body."""
        self._head_bytes = self._body_bytes = self._around_bytes = self._chunks = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin a connection. Above the limit it is answered 503 and closed."""
        super().connection_made(transport)
        self._extensions = {ABORT: {"connection": transport.abort}}
        self._enter(Stage.IDLE, self.limits.http_head_s)
        if self._full(self):
            REFUSED.labels("connections").inc()
            self._end_with(503, "unavailable", "too many connections; try again", f"retry-after: {RETRY_AFTER_S}\r\n")

    @property
    def waits(self) -> bool:
        """Return whether the connection owes no answer to a request that has arrived completely."""
        arriving = 1 if self.stage is Stage.BODY else 0  # counted as unanswered from the end of its headers on
        return self.stage is not Stage.ARRIVED and self.unanswered <= arriving

    def data_received(self, data: bytes) -> None:
        """Parse more bytes, within the limits."""
        if self.stage == Stage.CLOSING or self.transport.is_closing():
            return
        if self.stage == Stage.IDLE:
            self._enter(Stage.HEAD, self.limits.http_head_s)
        stage_before, body_before = self.stage, self._body_bytes
        self._upgrading = False
        self._unset_keepalive_if_required()
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._go_on_without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self.send_400_response("the request is not HTTP/1.1 as RFC 9112 defines it")
        if self.stage == Stage.HEAD:
            self._head_bytes += len(data)
            if self._head_bytes > self.limits.http_header_bytes + self.limits.http_target_bytes:
                self._refuse_head()
        elif self.stage == Stage.BODY == stage_before:
            self._around_bytes += len(data) - (self._body_bytes - body_before)
            if self._around_bytes > self.limits.http_header_bytes + CHUNK_OVERHEAD * self._chunks:
                self._refuse_head()

    def on_message_begin(self) -> None:
        """Begin a request."""
        if len(self.pipeline) >= PIPELINED:
            REFUSED.labels("pipelined").inc()
            self.transport.abort()
            raise httptools.HttpParserError  # ends the parsing of the bytes that came with it
        super().on_message_begin()
        self.scope["extensions"] = self._extensions
        self._reset_counts()
        self._enter(Stage.HEAD, self.limits.http_head_s)

    def on_headers_complete(self) -> None:
        """Start the app on the request, or the answer that refuses it."""
        if self.parser.should_upgrade():
            # httptools would leave the rest to another protocol. RFC 9110 allows to ignore that: see data_received.
            self._upgrading = True
            return
        app = self.app
        self.app = refusal_of(self.url, self.headers, self.parser.get_http_version(), self.limits) or app
        try:
            super().on_headers_complete()
        finally:
            self.app = app
        if self.scope["http_version"] == "1.0":
            self.cycle.send = until_closed(self.cycle)  # type: ignore[assignment, method-assign]
        self.headers = []  # for trailers, which else would become headers of the request that is being answered
        self.unanswered += 1
        self.stage = Stage.BODY
        self._due = self.since + self.limits.http_arrive_s + LINGER_S  # LINGER_S later than the app, if that reads

    def on_chunk_header(self) -> None:
        """Count a chunk; called by httptools."""
        self._chunks += 1

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body, unless nobody will read it."""
        self._body_bytes += len(body)
        if self.cycle.response_complete or self.scope["method"] != "POST":
            if self._body_bytes > self.limits.http_body_bytes:
                REFUSED.labels("body").inc()
                self.transport.abort()
            return
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        if not self._upgrading:
            super().on_message_complete()
            self.stage = Stage.ARRIVED

    def on_response_complete(self) -> None:
        """Wait for the next request, or for the rest of this one."""
        super().on_response_complete()
        self.unanswered -= 1
        if self.stage == Stage.ARRIVED and not self.unanswered:
            self._enter(Stage.IDLE, self.limits.http_keep_alive_s)
        elif self.stage == Stage.BODY and not self.unanswered:
            self.cycle.body.clear()
            self._due = min(self._due, self.loop.time() + LINGER_S)

    def shutdown(self) -> None:
        """Close soon: at once where nothing is being answered."""
        if self.waits:
            self.transport.close()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Note that the client does not take its answer, which is buffered. Called by the transport."""
        super().pause_writing()
        self._slow()

    def check(self, now: float) -> None:
        """End the connection if its client is late with a request, or in taking an answer. Called every second."""
        if not self.transport.get_write_buffer_size():
            self.untaken_since = float("inf")
        elif now - self.untaken_since > self.limits.http_take_s:
            REFUSED.labels("take").inc()
            self.transport.abort()
        else:
            self.untaken_since = min(self.untaken_since, now)
        if self.stage == Stage.ARRIVED or now < self._due or self.transport.is_closing():
            return
        if self.stage == Stage.CLOSING and self.unanswered:
            return
        if self.stage == Stage.HEAD and self.unanswered:
            self._due = now + self.limits.http_head_s  # the request before it is being answered
        elif self.stage == Stage.HEAD:
            REFUSED.labels("head").inc()
            self._end_with(408, "request_timeout", f"no whole request within {self.limits.http_head_s:g} s")
        elif self.stage == Stage.BODY and not self.cycle.response_complete:
            REFUSED.labels("arrive").inc()
            self._end_with(408, "request_timeout", f"no whole request within {self.limits.http_arrive_s:g} s")
        elif self.stage == Stage.IDLE:
            self.transport.close()
        else:
            self.transport.abort()

    def send_400_response(self, msg: str) -> None:
        """Answer bytes that are not HTTP. Called by uvicorn, too."""
        if self.transport.is_closing():
            return
        REFUSED.labels("malformed").inc()
        self._end_with(400, "bad_request", msg)

    def _enter(self, stage: Stage, seconds: float) -> None:
        self.stage = stage
        self.since = self.loop.time()
        self._due = self.since + seconds

    def _refuse_head(self) -> None:
        REFUSED.labels("headers").inc()
        self._end_with(431, "too_large", f"more than {self.limits.http_header_bytes} bytes of headers")

    def _go_on_without_upgrade(self, rest: bytes) -> None:
        if self.parser.get_method() == b"CONNECT":
            self.send_400_response("this is no proxy")
            return
        version = self.parser.get_http_version()
        head = head_without_upgrade(self.parser.get_method(), self.url, version, self.headers)
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        self.data_received(head + rest)

    def _end_with(self, status: int, code: str, detail: str, headers: str = "") -> None:
        """Answer and close, whatever else is to come. If that would be a second answer, only close."""
        cycle = self.cycle
        answering = self.unanswered > 0
        if answering and self.stage != Stage.BODY:  # requests before it are answered first
            cycle.keep_alive = False
            self._enter(Stage.CLOSING, LINGER_S)
            return
        if answering:
            cycle.disconnected = True
            cycle.message_event.set()
        if self.pipeline or (answering and cycle.response_started) or (self.stage == Stage.BODY and not answering):
            self.transport.abort()
            return
        body = problem_body(status, code, detail)
        length = f"content-type: {MEDIA_TYPE}\r\ncontent-length: {len(body)}\r\nconnection: close\r\n\r\n"
        self.transport.write(STATUS_LINE[status] + headers.encode() + length.encode() + body)
        self.transport.write_eof()
        self._enter(Stage.CLOSING, LINGER_S)  # if closed at once with bytes unread, the client may see a reset instead
