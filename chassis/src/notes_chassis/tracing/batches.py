"""A batch of records is one span; a message whose sender sampled it has a short one of its own."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from opentelemetry.trace import Span, SpanContext

from notes_chassis.tracing import Trace
from notes_chassis.tracing.context import LINKS, failed, is_sampled, link, traceparent_of

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing

Done = TypeVar("Done")
Process = Callable[[Sequence[Any]], Awaitable[Done]]


class MessageSpan:
    """The span of one message. `traceparent`: for what continues its trace."""

    __slots__ = ("_span", "traceparent")

    def __init__(self, span: Span) -> None:
        self._span, self.traceparent = span, traceparent_of(span)

    @property
    def context(self) -> SpanContext:
        """Return what others link to."""
        return self._span.get_span_context()

    def end(self, error: str | None = None, **attributes: str) -> None:
        """End it; `error`: the kind of what went wrong. Attributes have underscores in place of dots."""
        for name, value in attributes.items():
            self._span.set_attribute(name.replace("_", "."), value)
        if error is not None:
            failed(self._span, error)
        self._span.end()


class Batch:
    """The span of a batch, and those of its messages. It is linked to the first of them."""

    def __init__(self, tracing: "Tracing", span: Span, topic: str, group: str) -> None:
        self._tracing, self._span, self._topic, self._group = tracing, span, topic, group
        self._linked = 0

    def message(
        self, operation: str, trace: Trace, partition: int, offset: int, id_: str | None = None, *, again: bool = False
    ) -> MessageSpan | None:
        """Begin the span of a message, child of its sender's; None for one that is not sampled.

        `operation`: what is done with it. `again`: wherever the same record is read again, the span has the same id.
        """
        if not is_sampled(trace[0]):
            return None
        attributes: dict[str, str | int] = {
            "messaging.system": "kafka",
            "messaging.operation.name": operation,
            "messaging.operation.type": "process",
            "messaging.destination.name": self._topic,
            "messaging.consumer.group.name": self._group,
            "messaging.destination.partition.id": str(partition),
            "messaging.kafka.offset": offset,
        }
        if id_ is not None:
            attributes["messaging.message.id"] = id_
        place = f"{self._topic}:{partition}:{offset}" if again else None
        span = self._tracing.message(f"{operation} {self._topic}", attributes, trace, place)
        if self._span.is_recording():
            if self._linked < LINKS:
                self._linked += link(self._span, [trace])
            if span is not None:
                span.add_link(self._span.get_span_context())
        return None if span is None else MessageSpan(span)


@dataclass(frozen=True, slots=True)
class TracedBatches(Generic[Done]):
    """Processes batches of one group as `process` does, with their spans.

    `operation`: what is done with a message. `wanted` says whether messages have spans of their own; those of a batch
    that fails have none until it is processed. `kinds`: of what is stored then, by the message's key.
    """

    tracing: "Tracing"
    process: Process[Done]
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
