"""A Kafka record to an Envelope: decoded once, and never an exception. What cannot be read becomes an error."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

from aiokafka import ConsumerRecord
from pydantic import ValidationError

from notes_chassis.unread import why_unread
from notes_command.pipeline.envelope import DecodeError, Envelope, Source
from notes_contracts import COMMANDS, Code, Command, InvalidData, Received, digest_of, parse_id, read
from notes_contracts.slips import missing
from notes_contracts.validation import DATA_MAX, json_validator, note_id_in, refusal, too_large

_VALIDATE: Mapping[str, Callable[[bytes], Command]] = MappingProxyType(
    {ce_type: json_validator(model) for ce_type, model in COMMANDS.items()}
)
CARRIED_MAX = 1_000
"""Characters of a correlation id that are carried on."""
_SHOWN_TYPE = re.compile(r"[A-Za-z0-9._/:-]{1,100}").fullmatch
"""A type that is a name; anything else a sender put there is not repeated."""


def decode(record: "ConsumerRecord[bytes, bytes]") -> Envelope:
    """Return the command in the record, or what is wrong with it."""
    received = read(record.headers, record.value)
    command_id = parse_id(received.id)
    validate = _VALIDATE.get(received.type or "")
    data = received.data
    if command_id is None or validate is None or data is None or len(data) > DATA_MAX:
        return _refused(record, received, command_id, _error(record, received, command_id), note_id_in(data))
    try:
        command = validate(data)
    except ValidationError as failure:
        refused = refusal(COMMANDS[received.type or ""], data, failure)
        code = Code.INVALID if isinstance(refused, InvalidData) else Code.UNDECODABLE
        return _refused(record, received, command_id, DecodeError(code, str(refused)), refused.note_id)
    # Nearly always the same bytes; a key in capitals, say, has to be read.
    if record.key != command.note_id.encode() and key_of(record.key) != command.note_id:
        wrong = DecodeError(Code.INVALID, "key: the record's key is not the note id")
        return _refused(record, received, command_id, wrong, command.note_id)
    return Envelope(
        source=_source(record),
        command_id=command_id,
        note_id=command.note_id,
        command=command,
        digest=digest_of(command),
        correlationid=_carried(received.correlationid),
        traceparent=received.traceparent,
        tracestate=received.tracestate,
    )


def key_of(key: bytes | None) -> str | None:
    """Return the note id that a record's key holds, or None."""
    return parse_id(key.decode("ascii", "replace")) if key is not None else None


def _error(record: "ConsumerRecord[bytes, bytes]", received: Received, command_id: str | None) -> DecodeError:
    """Return why the data cannot even be looked at."""
    if received.id is None:
        return DecodeError(Code.UNDECODABLE, why_unread(record.headers) or missing("id", record.headers, record.value))
    if command_id is None:
        return DecodeError(Code.UNDECODABLE, "ce_id is not a UUID with dashes")
    if received.type is None:
        return DecodeError(Code.UNDECODABLE, missing("type", record.headers, record.value))
    if received.type not in COMMANDS:
        named = f" '{received.type}'" if _SHOWN_TYPE(received.type) else ""
        return DecodeError(Code.UNDECODABLE, f"unknown type{named}")
    if received.data is None:
        return DecodeError(Code.UNDECODABLE, "there is no data")
    return DecodeError(Code.INVALID, str(too_large()))


def _refused(
    record: "ConsumerRecord[bytes, bytes]",
    received: Received,
    command_id: str | None,
    error: DecodeError,
    note_id: str | None,
) -> Envelope:
    return Envelope(
        source=_source(record),
        command_id=command_id,
        note_id=note_id or key_of(record.key),
        error=error,
        correlationid=_carried(received.correlationid),
        traceparent=received.traceparent,
        tracestate=received.tracestate,
    )


def _carried(attribute: str | None) -> str | None:
    """Return an attribute that our own records repeat; one so long that it could make them too large is absent."""
    return attribute if attribute is not None and len(attribute) <= CARRIED_MAX else None


def _source(record: "ConsumerRecord[bytes, bytes]") -> Source:
    return Source(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
