"""What a batch comes to: everything that one transaction stores."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple

from notes_command.domain.events import Event
from notes_command.domain.note import Note
from notes_command.pipeline.envelope import Source
from notes_contracts import Code, format_time


class Outcome(NamedTuple):
    """The one answer to a command, as the inbox keeps it. `id` is the outcome's own."""

    id: str
    command_id: str
    note_id: str | None
    status: Literal["accepted", "rejected", "failed"]
    version: int | None
    code: Code | None
    message: str | None
    at: datetime
    digest: str | None

    def data(self) -> dict[str, object]:
        """Return the outcome as the contract has it: what Kafka gets, and what HTTP answers with."""
        return {
            "command_id": self.command_id,
            "note_id": self.note_id,
            "status": self.status,
            "version": self.version,
            "error": None if self.code is None else {"code": self.code, "message": self.message},
            "at": format_time(self.at),
            "digest": self.digest,
        }


class Cause(NamedTuple):
    """The command that a message follows from, for its headers."""

    command_id: str
    correlationid: str | None
    traceparent: str | None
    tracestate: str | None = None


class EventMessage(NamedTuple):
    """An event to publish under its own id."""

    id: str
    event: Event
    cause: Cause


class OutcomeMessage(NamedTuple):
    """An outcome to publish, for the first time or again."""

    outcome: Outcome
    cause: Cause


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that nobody can process, kept whole."""

    source: Source
    command_id: str | None
    note_id: str | None
    code: Code
    reason: str
    at: datetime


@dataclass(slots=True)
class Result:
    """The writes of one batch. `created` and `updated` hold each note once, in its last state."""

    created: dict[str, Note] = field(default_factory=dict)
    updated: dict[str, Note] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    messages: list[EventMessage | OutcomeMessage] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    duplicates: int = 0
    bugs: list[Exception] = field(default_factory=list)
