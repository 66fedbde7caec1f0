"""Decide a batch: pure, synchronous, in record order."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from notes_command.commands import HANDLERS, Handlers
from notes_command.domain.events import Event
from notes_command.domain.note import Note, Rejected
from notes_command.pipeline.decode import DecodeError, Envelope, Source
from notes_contracts import Code, Command, format_time


class Outcome(NamedTuple):
    """The one answer to a command, as the inbox keeps it. `id` is the outcome's; `authid`: who asked first.

    `code` is a Code, or a text that only a newer release knows as a code.
    """

    id: str
    command_id: str
    note_id: str | None
    status: Literal["accepted", "rejected", "failed"]
    version: int | None
    code: str | None
    message: str | None
    at: datetime
    digest: str | None
    authtype: str | None = None
    authid: str | None = None

    def data(self) -> dict[str, object]:
        """Return the data of the outcome message, which is also the answer of HTTP."""
        return {
            "command_id": self.command_id,
            "note_id": self.note_id,
            "status": self.status,
            "version": self.version,
            "error": None if self.code is None else {"code": self.code, "message": self.message},
            "at": format_time(self.at),
            "digest": self.digest,
        }


class Message(NamedTuple):
    """An event or an outcome to publish under `id`. `cause`: its command. A repeated command repeats its outcome."""

    id: str
    content: Event | Outcome
    cause: Envelope


class DeadLetter(NamedTuple):
    """A record that nobody can process, with everything that was in it."""

    source: Source
    command_id: str | None
    note_id: str | None
    code: Code
    reason: str
    at: datetime


@dataclass(slots=True)
class Result:
    """The writes of a batch. `created` and `updated` hold each note once, in its last state."""

    created: dict[str, Note] = field(default_factory=dict)
    updated: dict[str, Note] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    duplicates: int = 0
    bugs: list[Exception] = field(default_factory=list)

    def answers(self) -> Iterator[Outcome]:
        """Return the outcome of each command of the batch, whether it was decided now or before."""
        return (message.content for message in self.messages if isinstance(message.content, Outcome))


@dataclass(frozen=True, slots=True)
class DecisionContext:
    """The state that a batch is decided against.

    `known`: the outcomes of those commands of the batch that were decided before. `notes`: the batch's notes as stored.
    `now`: an aware UTC datetime, cut to milliseconds.
    """

    known: Mapping[str, Outcome]
    notes: Mapping[str, Note]
    now: datetime


def decide_batch(
    batch: Iterable[Envelope], context: DecisionContext, new_id: Callable[[], str], handlers: Handlers = HANDLERS
) -> Result:
    """Return the writes of the batch. If a handler raises, only its command fails, and becomes a dead letter."""
    decider = _Decider(context, new_id, handlers)
    for envelope in batch:
        decider.answer(envelope, decider.decide)
    return decider.result


def give_up(envelope: Envelope, reason: str, now: datetime, new_id: Callable[[], str]) -> Result:
    """Return the result of a record that we cannot process: outcome `failed`, and a dead letter."""
    decider = _Decider(DecisionContext({}, {}, now), new_id, {})
    decider.answer(envelope, lambda _: decider.fail(envelope, DecodeError(Code.INTERNAL, reason)))
    return decider.result


class _Decider:
    def __init__(self, context: DecisionContext, new_id: Callable[[], str], handlers: Handlers) -> None:
        self.stored = context.notes
        self.now = context.now
        self.new_id = new_id
        self.handlers = handlers
        self.decided = dict(context.known)
        self.notes = dict(context.notes)
        self.result = Result()

    def answer(self, envelope: Envelope, decide: Callable[[Envelope], Outcome]) -> None:
        """Answer the record with the outcome of its command: the first one if the command was decided before."""
        command_id = envelope.command_id
        if command_id is None:
            decide(envelope)  # makes a dead letter; there is nobody to answer
            return
        outcome = self.decided.get(command_id)
        if outcome is None:
            outcome = self.decided[command_id] = decide(envelope)
            self.result.outcomes.append(outcome)
        else:
            self.result.duplicates += 1
        self.result.messages.append(Message(outcome.id, outcome, envelope))

    def decide(self, envelope: Envelope) -> Outcome:
        command, error = envelope.command, envelope.error
        if command is None:
            assert error is not None, "a record without a command has an error"
            if error.code is Code.INVALID:
                return self.outcome(envelope, "rejected", error)
            return self.fail(envelope, error)
        try:
            decision = self.handlers[type(command)](self.notes.get(command.note_id), command, self.now)
        except Exception as bug:  # noqa: BLE001 - a bug of one handler must not fail the batch; it is counted
            self.result.bugs.append(bug)
            reason = f"{type(bug).__name__} while deciding {type(command).__name__}"
            return self.fail(envelope, DecodeError(Code.INTERNAL, reason))
        if isinstance(decision, Rejected):
            return self.outcome(envelope, "rejected", DecodeError(Code(decision.rule), decision.message))
        if decision.event is not None:
            self.change(envelope, command, decision.note, decision.event)
        return self.outcome(envelope, "accepted", None, decision.note.version)

    def change(self, envelope: Envelope, command: Command, note: Note, event: Event) -> None:
        note_id = command.note_id
        self.notes[note_id] = note
        writes = self.result.updated if note_id in self.stored else self.result.created
        writes[note_id] = note
        self.result.messages.append(Message(self.new_id(), event, envelope))

    def fail(self, envelope: Envelope, error: DecodeError) -> Outcome:
        self.result.dead_letters.append(
            DeadLetter(envelope.source, envelope.command_id, envelope.note_id, error.code, error.message, self.now)
        )
        return self.outcome(envelope, "failed", error)

    def outcome(
        self,
        envelope: Envelope,
        status: Literal["accepted", "rejected", "failed"],
        error: DecodeError | None,
        version: int | None = None,
    ) -> Outcome:
        code, message = (None, None) if error is None else error
        return Outcome(
            self.new_id(),
            envelope.command_id or "",
            envelope.note_id,
            status,
            version,
            code,
            message,
            self.now,
            envelope.digest,
            envelope.authtype,
            envelope.authid,
        )
