"""A batch of records has one span; each message that its sender sampled has a short span of its own."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opentelemetry.trace import Span, SpanContext

from notes_chassis.tracing import Trace
from notes_chassis.tracing.context import LINKS, failed, is_sampled, link, traceparent_of

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing

Done = TypeVar("Done")
ProcessBatch = Callable[[Sequence[Any]], Awaitable[Done]]


class MessageSpan:
    """The span of one message. `traceparent`: for whatever continues its trace."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span) -> None:
        self._span = span
        self.traceparent = traceparent_of(span)

    @property
    def context(self) -> SpanContext:
        """Return the context to which other spans link."""
        return self._span.get_span_context()

    def end(self, error: str | None = None, **attributes: str) -> None:
        """End the span; `error`: the kind of a failure. Names of attributes have underscores in place of dots."""
        for name, value in attributes.items():
            self._span.set_attribute(name.replace("_", "."), value)
        if error is not None:
            failed(self._span, error)
        self._span.end()


@dataclass(slots=True)
class Batch:
    """The span of a batch, and those of its messages. It is linked to the first LINKS of them."""

    tracing: "Tracing"
    span: Span
    topic: str
    group: str
    _linked: int = 0

    def message(
        self, operation: str, trace: Trace, partition: int, offset: int, id_: str | None = None, *, again: bool = False
    ) -> MessageSpan | None:
        """Return the span of a message, child of its sender's; None if the message is not sampled.

        `operation`: what is done with the message. `again`: the span gets an id that is the same for the same record,
        whenever it is read again.
        """
        if not is_sampled(trace[0]):
            return None
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.name": operation,
            "messaging.operation.type": "process",
            "messaging.destination.name": self.topic,
            "messaging.consumer.group.name": self.group,
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": offset,
        }
        if id_ is not None:
            attributes["messaging.message.id"] = id_
        source = f"{self.topic}:{partition}:{offset}" if again else None
        message = self.tracing.message(f"{operation} {self.topic}", attributes, trace, source)
        if self.span.is_recording():
            if self._linked < LINKS:
                self._linked += link(self.span, [trace])
            if message is not None:
                message.add_link(self.span.get_span_context())
        return None if message is None else MessageSpan(message)


@dataclass(frozen=True, slots=True)
class TracedBatches(Generic[Done]):
    """Processes batches of one group as `process` does, with their spans.

    `operation`: what is done with a message. `wanted` returns whether messages have spans of their own. The spans of a
    batch that fails are not ended. `kinds`: of what is stored then, under the message's key, see Tracing.remember.
    """

    tracing: "Tracing"
    process: ProcessBatch[Done]
    group: str
    operation: str
    wanted: Callable[[], bool]
    kinds: tuple[str, ...]

    async def __call__(self, records: Sequence[Any]) -> Done:
        """Process a batch; raises as `process` does."""
        with self.tracing.batch(records[0].topic, self.group, len(records)) as batch:
            spans = self._spans(batch, records) if self.wanted() else []
            done = await self.process(records)
            for span in spans:
                span.end()
        return done

    def _spans(self, batch: Batch, records: Sequence[Any]) -> list[MessageSpan]:
        spans = []
        for record in records:
            trace = self.tracing.trace_in(record)
            if trace[0] is None:
                continue
            span = batch.message(self.operation, trace, record.partition, record.offset)
            if span is not None:
                spans.append(span)
                for kind in self.kinds:
                    self.tracing.remember(kind, record.key, span.context)
        return spans
