"""Decodes a Kafka record to an Envelope, once. Never raises: a record that cannot be read becomes a DecodeError."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from notes_chassis.dead_letters import Position
from notes_chassis.unread import why_unread
from notes_contracts import COMMANDS, Code, Command, InvalidData, NotJson, Received, digest_of, parse_id, read, validate
from notes_contracts.slips import missing
from notes_contracts.validation import DATA_MAX, LARGE, json_validator, note_id_in, refusal, too_large

_VALIDATE: Mapping[str, Callable[[bytes], Command]] = MappingProxyType(
    {ce_type: json_validator(model) for ce_type, model in COMMANDS.items()}
)
CARRIED_MAX: Final = 1_000
"""Characters of the longest correlation id that is continued: a longer one could make our records too large."""
TYPE_MAX: Final = 200
"""Characters of a dead letter's type that are kept: the type comes from outside."""
_SHOWN_TYPE = re.compile(r"[A-Za-z0-9._/:-]{1,100}").fullmatch
"""A type that looks like a name. Any other text of a sender is not repeated in an error."""


class Source(NamedTuple):
    """The record as it arrived, for a dead letter."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]

    @property
    def position(self) -> Position:
        """Return where the record is."""
        return Position(self.topic, self.partition, self.offset)


class DecodeError(NamedTuple):
    """Why a record holds no command: `invalid` (rejected), or `undecodable` (failed, and a dead letter)."""

    code: Code
    message: str


class Envelope(NamedTuple):
    """A record of the batch: a command, or the error why there is none.

    `command_id`: None where no outcome is possible. `digest`: None where there is no command. `note_id`: that of the
    data if it is a note id, else that of the key, else None.
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
    authtype: str | None = None
    authid: str | None = None


def decode(record: "ConsumerRecord[bytes, bytes]") -> Envelope:
    """Return the envelope with the command of the record, or with what is wrong with it."""
    received = read(record.headers, record.value)
    command_id = parse_id(received.id)
    validate_small = _VALIDATE.get(received.type or "")
    data = received.data
    if command_id is None or validate_small is None or data is None or len(data) > DATA_MAX:
        return _envelope(record, received, command_id, note_id_in(data), error=_error(record, received, command_id))
    model = COMMANDS[received.type or ""]
    try:
        command = validate_small(data) if len(data) <= LARGE else validate(model, data)
    except (ValidationError, InvalidData, NotJson) as failure:
        refused = refusal(model, data, failure) if isinstance(failure, ValidationError) else failure
        code = Code.INVALID if isinstance(refused, InvalidData) else Code.UNDECODABLE
        return _envelope(record, received, command_id, refused.note_id, error=DecodeError(code, str(refused)))
    # The bytes are nearly always equal. Only others, such as a key in capitals, have to be read.
    if record.key != command.note_id.encode() and key_of(record.key) != command.note_id:
        wrong = DecodeError(Code.INVALID, "key: the record's key is not the note id")
        return _envelope(record, received, command_id, command.note_id, error=wrong)
    return _envelope(record, received, command_id, command.note_id, command)


def key_of(key: bytes | None) -> str | None:
    """Return the note id that a record's key holds, or None."""
    return parse_id(key.decode("ascii", "replace")) if key is not None else None


def type_in(source: Source) -> str | None:
    """Return the first 200 characters of the record's type, or None if it has none."""
    found = read(source.headers, source.value).type
    return found[:TYPE_MAX] if found else None


def _error(record: "ConsumerRecord[bytes, bytes]", received: Received, command_id: str | None) -> DecodeError:
    """Return why the data is not even validated."""
    if received.id is None:
        return _missing(record, "id")
    if command_id is None:
        return DecodeError(Code.UNDECODABLE, "ce_id is not a UUID with dashes")
    if received.type is None:
        return _missing(record, "type")
    if received.type not in COMMANDS:
        named = f" '{received.type}'" if _SHOWN_TYPE(received.type) else ""
        return DecodeError(Code.UNDECODABLE, f"unknown type{named}")
    if received.data is None:
        return DecodeError(Code.UNDECODABLE, "there is no data")
    return DecodeError(Code.INVALID, str(too_large()))


def _missing(record: "ConsumerRecord[bytes, bytes]", attribute: str) -> DecodeError:
    why = why_unread(record.headers) or missing(attribute, record.headers, record.value)
    return DecodeError(Code.UNDECODABLE, why)


def _envelope(
    record: "ConsumerRecord[bytes, bytes]",
    received: Received,
    command_id: str | None,
    note_id: str | None,
    command: Command | None = None,
    *,
    error: DecodeError | None = None,
) -> Envelope:
    correlationid = received.correlationid
    if correlationid is not None and len(correlationid) > CARRIED_MAX:
        correlationid = None
    return Envelope(
        Source(record.topic, record.partition, record.offset, record.key, record.value, tuple(record.headers)),
        command_id,
        note_id or key_of(record.key),
        command,
        None if command is None else digest_of(command),
        error,
        correlationid,
        received.traceparent,
        received.tracestate,
        received.authtype,
        received.authid,
    )
