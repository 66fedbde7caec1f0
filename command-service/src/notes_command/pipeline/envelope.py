"""A batch: records decoded once, whatever was in them, and the result that one transaction stores."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal, NamedTuple

from notes_command.domain.events import Event
from notes_command.domain.note import Note
from notes_contracts import Code, Command, format_time, read

TYPE_MAX: Final = 200
"""Characters of a type that are kept; what it says comes from outside."""


class Source(NamedTuple):
    """The record as it came: what a dead letter has to hold."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]


@dataclass(frozen=True, slots=True)
class DecodeError:
    """Why a record holds no command that can be decided.

    `code` is `invalid` (rejected) or `undecodable` (failed, and a dead letter).
    """

    code: Code
    message: str


class Envelope(NamedTuple):
    """One record of the batch: a command, or the error that stands in its place.

    `command_id` is None where no outcome is possible. `digest` is None where `command` is. `note_id` is the data's
    if it is one, else the key's, else None.
    """

    source: Source
    command_id: str | None
    note_id: str | None
    command: Command | None = None
    digest: str | None = None
    error: DecodeError | None = None
    correlationid: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


def type_in(source: Source) -> str | None:
    """Return the command's type, if the record tells one; at most 200 characters of it."""
    found = read(source.headers, source.value).type
    return found[:TYPE_MAX] if found else None


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
