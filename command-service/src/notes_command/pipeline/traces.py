"""The spans of the commands of a batch. Events and outcomes continue the senders' traces from these spans."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from notes_command.pipeline.decide import Outcome, Result
from notes_command.pipeline.decode import Envelope, Source

if TYPE_CHECKING:
    from notes_chassis.tracing.batches import Batch, MessageSpan


class Decisions:
    """Gives each sampled envelope of `batch` a span of its own, which becomes the parent of event and outcome.

    A record that is read again after a rollback or a crash gets the same span id, so its event has the same bytes. A
    repeated outcome has the context of the record that repeats the command. The span of a command that is not stored is
    dropped; the span of the batch says what happened.
    """

    def __init__(self, spans: "Batch", batch: list[Envelope]) -> None:
        self._begun: dict[tuple[int, int], MessageSpan] = {}
        for index, envelope in enumerate(batch):
            if envelope.traceparent is None:
                continue
            source = envelope.source
            trace = envelope.traceparent, envelope.tracestate
            span = spans.message("decide", trace, source.partition, source.offset, envelope.command_id, again=True)
            if span is not None:
                batch[index] = envelope._replace(traceparent=span.traceparent)
                self._begun[source.partition, source.offset] = span

    def end(self, results: Sequence[Result]) -> None:
        """End the spans of the stored results, with status and code."""
        if not self._begun:
            return
        for result in results:
            for message in result.messages:
                if isinstance(message.content, Outcome):
                    self._end(message.cause.source, message.content.status, message.content.code)
            for dead_letter in result.dead_letters:  # those without a command id have no outcome
                self._end(dead_letter.source, "failed", dead_letter.code)

    def _end(self, source: Source, status: str, code: str | None) -> None:
        span = self._begun.pop((source.partition, source.offset), None)
        if span is not None:
            span.end(code if status == "failed" else None, notes_outcome=status)
