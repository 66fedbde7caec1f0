"""The spans of the commands of one batch: what is decided of them continues their senders' traces from there."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from notes_command.pipeline.decide import Outcome, Result
from notes_command.pipeline.decode import Envelope

if TYPE_CHECKING:
    from notes_chassis.tracing.batches import Batch, MessageSpan


class Decisions:
    """Gives each sampled envelope of `batch` its span in place of its sender's, as the parent of event and outcome.

    A record that comes again, after a rollback or a crash, has the same span id. So events are the same, byte for byte;
    an outcome that is repeated has the context of that reading, which differs where only one of the two was traced.
    The span of one that is not stored is thrown away; the batch's says what happened.
    """

    def __init__(self, spans: "Batch", batch: list[Envelope]) -> None:
        self._begun: dict[tuple[int, int], MessageSpan] = {}
        for place, envelope in enumerate(batch):
            if envelope.traceparent is None:
                continue
            _, partition, offset, *_ = envelope.source
            trace = envelope.traceparent, envelope.tracestate
            span = spans.message("decide", trace, partition, offset, envelope.command_id, again=True)
            if span is not None:
                batch[place] = envelope._replace(traceparent=span.traceparent)
                self._begun[partition, offset] = span

    def end(self, results: Sequence[Result]) -> None:
        """End those of what is stored, with what came of it."""
        if not self._begun:
            return
        for result in results:
            for message in result.messages:
                if isinstance(message.content, Outcome):
                    self._end(message.cause.source[1:3], message.content.status, message.content.code)
            for one in result.dead_letters:  # of those that are left, which nobody can be answered
                self._end(one.source[1:3], "failed", one.code)

    def _end(self, place: tuple[int, int], status: str, code: str | None) -> None:
        if (span := self._begun.pop(place, None)) is not None:
            span.end(code if status == "failed" else None, notes_outcome=status)
