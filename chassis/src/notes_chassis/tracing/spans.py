"""The spans of a service, named as OpenTelemetry's conventions for messaging and HTTP say.

No span holds what somebody wrote: no text, no path, no query, no name of a person; of an error its kind alone.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from typing import Any, Final, Protocol

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, ParentBased
from opentelemetry.trace import Span, SpanContext, SpanKind

from notes_chassis.process import happens
from notes_chassis.tracing import Trace, ValidTrace
from notes_chassis.tracing.batches import Batch, Done, Process, TracedBatches
from notes_chassis.tracing.context import NOBODY, SAMPLED, child_of, ending, is_sampled, link
from notes_chassis.tracing.provider import SpanIds
from notes_chassis.tracing.request import RequestTrace, at_hand

REMEMBERED: Final = 1_000
"""Keys whose last sampled message is known, for readers who waited for it."""
KEY_MAX: Final = 36
"""Bytes of such a key, an id: a record's may have a megabyte."""
FLUSH_S: Final = 3.0
"""Seconds in which the end of a process waits for spans to leave."""


class Message(Protocol):
    """A record of Kafka, read or to be sent."""

    @property
    def topic(self) -> str:
        """Where it is read or sent."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """`traceparent` among them, where there is one."""


class Tracing:
    """One a process. Spans are begun in the event loop alone. `valid`: what of a trace context is taken over."""

    def __init__(self, provider: TracerProvider, valid: ValidTrace) -> None:
        self._provider, self._valid = provider, valid
        self._tracer = provider.get_tracer("notes_chassis")
        assert isinstance(provider.id_generator, SpanIds), "spans of one place have one id"
        self._ids, self._sampler = provider.id_generator, provider.sampler
        self._follows = isinstance(provider.sampler, ParentBased)
        """Whether what a sender has not sampled is not sampled here."""
        self._processed: dict[tuple[str, bytes], SpanContext] = {}

    @contextmanager
    def batch(self, topic: str, group: str, count: int) -> Iterator[Batch]:
        """Begin the span of a batch that is processed; it ends with the block, failed if that raises."""
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "process",
            "messaging.operation.type": "process",
            "messaging.destination.name": topic,
            "messaging.consumer.group.name": group,
            "messaging.batch.message_count": count,
        }
        span = self._tracer.start_span(f"process {topic}", NOBODY, SpanKind.CONSUMER, attributes)
        with ending(span):
            yield Batch(self, span, topic, group)

    def each(
        self, process: Process[Done], group: str, operation: str, wanted: Callable[[], bool], kinds: Iterable[str] = ()
    ) -> TracedBatches[Done]:
        """Return `process` with a span for each batch, and one for each sampled message while these are wanted.

        `kinds`: what `woken` is told of.
        """
        return TracedBatches(self, process, group, operation, wanted, tuple(kinds))

    @contextmanager
    def sending(self, messages: Sequence[Message]) -> Iterator[None]:
        """Begin the span of messages that are sent together; it ends with the block, failed if that raises."""
        topics = {message.topic for message in messages}
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.batch.message_count": len(messages),
        }
        name = "send"
        if len(topics) == 1:  # of several topics, by the conventions, none is named
            (attributes["messaging.destination.name"],) = topics
            name = f"send {attributes['messaging.destination.name']}"
        span = self._tracer.start_span(name, NOBODY, SpanKind.PRODUCER, attributes)
        if span.is_recording():
            link(span, map(self.trace_in, messages))
        with ending(span):
            yield

    def request(self, method: str, scheme: str, trace: Trace) -> RequestTrace | None:
        """Begin the span of an HTTP request, child of the sender's; None where the sampler does not take it."""
        parent, state = trace if trace[0] is None else self._valid(*trace)
        if parent is None:
            state = None
            if not self._begins():
                return None
        elif self._follows and not is_sampled(parent):
            return None
        name = "HTTP" if method == "_OTHER" else method
        attributes = {"http.request.method": method, "url.scheme": scheme}
        span = self._tracer.start_span(name, child_of(parent, state), SpanKind.SERVER, attributes)
        return RequestTrace(span, name, state) if span.is_recording() else None

    def _begins(self) -> bool:
        """Say whether a trace begins. Asked before the span is made, which costs twice as much, for each request."""
        trace_id = self._ids.generate_trace_id()
        if self._sampler.should_sample(NOBODY, trace_id, "").decision is not Decision.RECORD_AND_SAMPLE:
            return False
        self._ids.next_trace = trace_id
        return True

    def woken(self, kind: str) -> None:
        """Note on the request at hand that what it waited for is there; link it to the message, if that is known."""
        if (request := at_hand.get()) is not None:
            request.woken(lambda key: self._processed.get((kind, key.lower().encode())))

    def message(self, name: str, attributes: Mapping[str, Any], trace: Trace, place: str | None) -> Span | None:
        """Begin the span of one message, child of its sender's; None where the sampler does not take it.

        `place`: what its id is made of, so that the same message decided again has the same one.
        """
        if place is not None:
            digest = blake2b(f"{trace[0]} {place}".encode(), digest_size=8).digest()
            self._ids.next = int.from_bytes(digest) or 1
        span = self._tracer.start_span(name, child_of(*trace), SpanKind.CONSUMER, attributes)
        return span if span.is_recording() else None

    def remember(self, kind: str, key: bytes | None, message: SpanContext) -> None:
        """Know a span by what its message is about, for the readers that it wakes; they ask for short keys."""
        if key is None or len(key) > KEY_MAX:
            return
        self._processed.pop((kind, key), None)
        while len(self._processed) >= REMEMBERED:
            del self._processed[next(iter(self._processed))]
        self._processed[kind, key] = message

    def trace_in(self, message: Message) -> Trace:
        """Return the valid trace context of a message, if that is sampled."""
        parent = state = None
        for name, value in message.headers:
            if name == "traceparent":
                parent = value
            elif name == "tracestate":
                state = value
        if parent is None or parent[-1:].decode("latin-1") not in SAMPLED:
            return None, None
        found = self._valid(parent.decode("latin-1"), None if state is None else state.decode("latin-1"))
        return found if is_sampled(found[0]) else (None, None)

    async def close(self) -> None:
        """Send what waits, for FLUSH_S at most."""
        loop, done = asyncio.get_running_loop(), asyncio.Event()

        def shut_down() -> None:
            with suppress(Exception):  # it is the end, and the exporter has told
                self._provider.shutdown()
            with suppress(RuntimeError):  # nobody waits any more
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="last spans", daemon=True).start()
        await happens(done, FLUSH_S)
