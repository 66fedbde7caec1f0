"""Decide a batch: pure, synchronous, in record order."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from notes_command.commands import HANDLERS, Handlers
from notes_command.domain.note import Accepted, Note, Rejected
from notes_command.pipeline.envelope import (
    Cause,
    DeadLetter,
    DecodeError,
    Envelope,
    EventMessage,
    Outcome,
    OutcomeMessage,
    Result,
)
from notes_contracts import Code, Command


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """What a batch is decided against.

    `known`: outcomes of the batch's command ids that were decided before. `notes`: the batch's notes as stored.
    `now`: an aware UTC datetime, cut to milliseconds.
    """

    known: Mapping[str, Outcome]
    notes: Mapping[str, Note]
    now: datetime


def decide_batch(
    batch: Iterable[Envelope], present: DecisionContext, new_id: Callable[[], str], handlers: Handlers = HANDLERS
) -> Result:
    """Return what the batch comes to. A handler that raises costs its own command: `failed`, and a dead letter."""
    decider = _Decider(present, new_id, handlers)
    for envelope in batch:
        decider.take(envelope)
    return decider.result


def give_up(envelope: Envelope, reason: str, now: datetime, new_id: Callable[[], str]) -> Result:
    """Return the result of one record that we cannot process, whatever it holds: `failed`, and a dead letter."""
    decider = _Decider(DecisionContext({}, {}, now), new_id, {})
    decider.answer(envelope, lambda: decider.fail(envelope, DecodeError(Code.INTERNAL, reason)))
    return decider.result


@dataclass(slots=True)
class _Decider:
    present: DecisionContext
    new_id: Callable[[], str]
    handlers: Handlers
    result: Result = field(default_factory=Result)
    decided: dict[str, Outcome] = field(init=False)
    notes: dict[str, Note] = field(init=False)

    def __post_init__(self) -> None:
        self.decided = dict(self.present.known)
        self.notes = dict(self.present.notes)

    def take(self, envelope: Envelope) -> None:
        self.answer(envelope, lambda: self.decide(envelope))

    def answer(self, envelope: Envelope, decide: Callable[[], Outcome]) -> None:
        """Answer the record with its command's outcome, the first one where there is one already."""
        command_id = envelope.command_id
        if command_id is None:
            decide()  # leaves a dead letter; there is nobody to answer
            return
        outcome = self.decided.get(command_id)
        if outcome is None:
            outcome = self.decided[command_id] = decide()
            self.result.outcomes.append(outcome)
        else:
            self.result.duplicates += 1
        self.result.messages.append(OutcomeMessage(outcome, _cause(envelope, command_id)))

    def decide(self, envelope: Envelope) -> Outcome:
        command, error = envelope.command, envelope.error
        if command is None:
            assert error is not None, "a record without a command has a error"
            if error.code is Code.INVALID:
                return self.outcome(envelope, "rejected", error)
            return self.fail(envelope, error)
        try:
            decision = self.handlers[type(command)](self.notes.get(command.note_id), command, self.present.now)
        except Exception as bug:  # noqa: BLE001 - one handler's bug must not cost the batch; it is counted and logged
            self.result.bugs.append(bug)
            reason = f"{type(bug).__name__} while deciding {type(command).__name__}"
            return self.fail(envelope, DecodeError(Code.INTERNAL, reason))
        if isinstance(decision, Rejected):
            return self.outcome(envelope, "rejected", DecodeError(Code(decision.rule), decision.message))
        self.accept(envelope, command, decision)
        return self.outcome(envelope, "accepted", None, decision.note.version)

    def accept(self, envelope: Envelope, command: Command, decision: Accepted) -> None:
        if decision.event is None:
            return
        note_id = command.note_id
        self.notes[note_id] = decision.note
        writes = self.result.updated if note_id in self.present.notes else self.result.created
        writes[note_id] = decision.note
        assert envelope.command_id is not None, "a command has an id"
        cause = _cause(envelope, envelope.command_id)
        self.result.messages.append(EventMessage(self.new_id(), decision.event, cause))

    def fail(self, envelope: Envelope, error: DecodeError) -> Outcome:
        self.result.dead_letters.append(
            DeadLetter(
                source=envelope.source,
                command_id=envelope.command_id,
                note_id=envelope.note_id,
                code=error.code,
                reason=error.message,
                at=self.present.now,
            )
        )
        return self.outcome(envelope, "failed", error)

    def outcome(
        self,
        envelope: Envelope,
        status: Literal["accepted", "rejected", "failed"],
        error: DecodeError | None,
        version: int | None = None,
    ) -> Outcome:
        return Outcome(
            id=self.new_id(),
            command_id=envelope.command_id or "",
            note_id=envelope.note_id,
            status=status,
            version=version,
            code=error.code if error else None,
            message=error.message if error else None,
            at=self.present.now,
            digest=envelope.digest,
        )


def _cause(envelope: Envelope, command_id: str) -> Cause:
    return Cause(command_id, envelope.correlationid, envelope.traceparent, envelope.tracestate)
