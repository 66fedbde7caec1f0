"""A record of the command topic, decoded once, whatever was in it."""

from dataclasses import dataclass
from typing import Final, NamedTuple

from notes_contracts import Code, Command, read

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
class Fault:
    """Why a record holds no command that can be decided.

    `code` is `invalid` (rejected) or `undecodable` (failed, and a dead letter).
    """

    code: Code
    message: str


class Incoming(NamedTuple):
    """One record of the batch: a command, or the fault that stands in its place.

    `command_id` is None where no outcome is possible. `digest` is None where `command` is. `note_id` is the data's
    if it is one, else the key's, else None.
    """

    source: Source
    command_id: str | None
    note_id: str | None
    command: Command | None = None
    digest: str | None = None
    fault: Fault | None = None
    correlationid: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None


def type_in(source: Source) -> str | None:
    """Return the command's type, if the record tells one; at most 200 characters of it."""
    found = read(source.headers, source.value).type
    return found[:TYPE_MAX] if found else None
