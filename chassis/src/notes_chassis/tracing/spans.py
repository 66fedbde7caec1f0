"""The spans of a service, named by OpenTelemetry's conventions for messaging and HTTP.

No span holds what a user wrote: no text, no path, no query, no name of a person; of an error only its kind.
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
from notes_chassis.tracing.batches import Batch, Done, ProcessBatch, TracedBatches
from notes_chassis.tracing.context import NOBODY, SAMPLED, child_of, ending, is_sampled, link
from notes_chassis.tracing.provider import SpanIds
from notes_chassis.tracing.request import RequestTrace, current

REMEMBERED: Final = 1_000
"""Keys whose last sampled message is remembered, for readers who waited for it."""
KEY_MAX: Final = 36
"""Bytes of such a key, which is an id: the key of a record may have a megabyte."""
FLUSH_S: Final = 3.0
"""Seconds for which the end of a process waits until spans are sent."""


class Message(Protocol):
    """A record of Kafka, read or to be sent."""

    @property
    def topic(self) -> str:
        """Return the topic that it is read from or sent to."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Return the headers, with `traceparent` if there is one."""


class Tracing:
    """The spans of a process. They are begun only in the event loop. `valid` checks trace contexts from outside."""

    def __init__(self, provider: TracerProvider, valid: ValidTrace) -> None:
        assert isinstance(provider.id_generator, SpanIds), "a message's span has the same id each time it is processed"
        self._provider = provider
        self._valid = valid
        self._tracer = provider.get_tracer("notes_chassis")
        self._ids = provider.id_generator
        self._sampler = provider.sampler
        self._follows_sender = isinstance(provider.sampler, ParentBased)
        """Whether a trace is sampled here only if its sender has sampled it."""
        self._processed: dict[tuple[str, bytes], SpanContext] = {}

    @contextmanager
    def batch(self, topic: str, group: str, count: int) -> Iterator[Batch]:
        """Begin the span of a batch that is processed; it ends with the block, as failed if that raises."""
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
        self,
        process: ProcessBatch[Done],
        group: str,
        operation: str,
        wanted: Callable[[], bool],
        kinds: Iterable[str] = (),
    ) -> TracedBatches[Done]:
        """Return `process` with a span for each batch, and one for each sampled message while `wanted` returns true.

        `kinds`: the kinds that readers wait for, see `woken`.
        """
        return TracedBatches(self, process, group, operation, wanted, tuple(kinds))

    @contextmanager
    def sending(self, messages: Sequence[Message]) -> Iterator[None]:
        """Begin the span of messages that are sent together; it ends with the block, as failed if that raises."""
        topics = {message.topic for message in messages}
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.name": "send",
            "messaging.operation.type": "send",
            "messaging.batch.message_count": len(messages),
        }
        name = "send"
        if len(topics) == 1:  # by the conventions, several topics are not named
            (attributes["messaging.destination.name"],) = topics
            name = f"send {attributes['messaging.destination.name']}"
        span = self._tracer.start_span(name, NOBODY, SpanKind.PRODUCER, attributes)
        if span.is_recording():
            link(span, map(self.trace_in, messages))
        with ending(span):
            yield

    def request(self, method: str, scheme: str, trace: Trace) -> RequestTrace | None:
        """Return the span of an HTTP request, child of the sender's; None if the sampler does not take it."""
        parent, state = trace if trace[0] is None else self._valid(*trace)
        if parent is None:
            state = None
            if not self._samples_new_trace():
                return None
        elif self._follows_sender and not is_sampled(parent):
            return None
        name = "HTTP" if method == "_OTHER" else method
        attributes = {"http.request.method": method, "url.scheme": scheme}
        span = self._tracer.start_span(name, child_of(parent, state), SpanKind.SERVER, attributes)
        return RequestTrace(span, name, state) if span.is_recording() else None

    def _samples_new_trace(self) -> bool:
        """Return whether the sampler takes a new trace, and choose its id. To begin its span costs twice as much."""
        trace_id = self._ids.generate_trace_id()
        if self._sampler.should_sample(NOBODY, trace_id, "").decision is not Decision.RECORD_AND_SAMPLE:
            return False
        self._ids.next_trace = trace_id
        return True

    def woken(self, kind: str) -> None:
        """Note that the wait of the current request is over; link it to the message of that kind, if it is known."""
        if (request := current.get()) is not None:
            request.woken(lambda key: self._processed.get((kind, key.lower().encode())))

    def message(self, name: str, attributes: Mapping[str, Any], trace: Trace, source: str | None) -> Span | None:
        """Return the span of one message, child of its sender's; None if the sampler does not take it.

        `source`: where the message was read. The span's id is made of it, so that it is the same for the same message.
        """
        if source is not None:
            digest = blake2b(f"{trace[0]} {source}".encode(), digest_size=8).digest()
            self._ids.next = int.from_bytes(digest) or 1
        span = self._tracer.start_span(name, child_of(*trace), SpanKind.CONSUMER, attributes)
        return span if span.is_recording() else None

    def remember(self, kind: str, key: bytes | None, message: SpanContext) -> None:
        """Remember a message's span by kind and key, for readers who wait for it. Long keys are no ids: nobody asks."""
        if key is None or len(key) > KEY_MAX:
            return
        self._processed.pop((kind, key), None)
        while len(self._processed) >= REMEMBERED:
            del self._processed[next(iter(self._processed))]
        self._processed[kind, key] = message

    def trace_in(self, message: Message) -> Trace:
        """Return a message's trace context if it is valid and sampled, else None for both."""
        parent = state = None
        for name, value in message.headers:
            if name == "traceparent":
                parent = value
            elif name == "tracestate":
                state = value
        if parent is None or parent[-1:].decode("latin-1") not in SAMPLED:
            return None, None
        valid = self._valid(parent.decode("latin-1"), None if state is None else state.decode("latin-1"))
        return valid if is_sampled(valid[0]) else (None, None)

    async def close(self) -> None:
        """Send the spans that wait, for FLUSH_S at most."""
        loop = asyncio.get_running_loop()
        done = asyncio.Event()

        def shut_down() -> None:
            with suppress(Exception):  # the process ends, and the exporter has logged
                self._provider.shutdown()
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(done.set)

        threading.Thread(target=shut_down, name="last spans", daemon=True).start()
        await happens(done, FLUSH_S)
