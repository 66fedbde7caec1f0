"""A Kafka record to an Incoming: decoded once, and never an exception. What cannot be read becomes a fault."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from aiokafka import ConsumerRecord
from pydantic import ValidationError
from pydantic_core import from_json

from notes_command.application.incoming import Fault, Incoming, Source
from notes_contracts import COMMANDS, Code, Command, InvalidData, Received, digest_of, parse_id, read
from notes_contracts.validation import json_validator, refusal

_VALIDATE: Mapping[str, Callable[[bytes], Command]] = MappingProxyType(
    {ce_type: json_validator(model) for ce_type, model in COMMANDS.items()}
)
CARRIED_MAX = 1_000
"""Characters of a correlation id or traceparent that are carried on."""


def decode(record: "ConsumerRecord[bytes, bytes]") -> Incoming:
    """Return the command in the record, or what is wrong with it."""
    received = read(record.headers, record.value)
    command_id = parse_id(received.id)
    if command_id is None:
        fault = Fault(Code.UNDECODABLE, "ce_id is missing or not a UUID")
        return _faulty(record, received, None, fault)
    validate = _VALIDATE.get(received.type or "")
    if validate is None:
        named = f"unknown type {received.type[:200]!r}" if received.type else "ce_type is missing"
        return _faulty(record, received, command_id, Fault(Code.UNDECODABLE, named))
    if received.data is None:
        return _faulty(record, received, command_id, Fault(Code.UNDECODABLE, "there is no data"))
    try:
        command = validate(received.data)
    except ValidationError as error:
        refused = refusal(COMMANDS[received.type or ""], received.data, error)
        code = Code.INVALID if isinstance(refused, InvalidData) else Code.UNDECODABLE
        return _faulty(record, received, command_id, Fault(code, str(refused)))
    # Nearly always the same bytes; a key in capitals, say, has to be read.
    if record.key != command.note_id.encode() and key_of(record.key) != command.note_id:
        fault = Fault(Code.INVALID, "key: the record's key is not the note id")
        return _faulty(record, received, command_id, fault)
    return Incoming(
        source=_source(record),
        command_id=command_id,
        note_id=command.note_id,
        command=command,
        digest=digest_of(command),
        correlationid=_carried(received.correlationid),
        traceparent=_carried(received.traceparent),
    )


def key_of(key: bytes | None) -> str | None:
    """Return the note id that a record's key holds, or None."""
    return parse_id(key.decode("ascii", "replace")) if key is not None else None


def _faulty(
    record: "ConsumerRecord[bytes, bytes]", received: Received, command_id: str | None, fault: Fault
) -> Incoming:
    return Incoming(
        source=_source(record),
        command_id=command_id,
        note_id=_note_id_in(received.data) or key_of(record.key),
        fault=Fault(fault.code, fault.message.replace("\0", "�")),
        correlationid=_carried(received.correlationid),
        traceparent=_carried(received.traceparent),
    )


def _carried(attribute: str | None) -> str | None:
    """Return an attribute that our own records repeat; one so long that it could make them too large is absent."""
    return attribute if attribute is not None and len(attribute) <= CARRIED_MAX else None


def _note_id_in(data: bytes | None) -> str | None:
    try:
        found: Any = from_json(data or b"", allow_inf_nan=False)
    except ValueError:
        return None
    note_id = found.get("note_id") if isinstance(found, dict) else None
    return parse_id(note_id) if isinstance(note_id, str) else None


def _source(record: "ConsumerRecord[bytes, bytes]") -> Source:
    return Source(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        key=record.key,
        value=record.value,
        headers=tuple(record.headers),
    )
