"""From a record to an event. Each record is decoded once."""

from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from notes_contracts import EVENTS, parse_id, parse_time, read
from notes_contracts.validation import json_validator, refusal
from notes_query.application.errors import Undecodable
from notes_query.projections.recorded_event import Record, RecordedEvent

_SEQUENCE_DIGITS: Final = 18
"""Fits the 64 bits that a store has for a version."""

_VALIDATORS: Final = MappingProxyType({name: json_validator(model) for name, model in EVENTS.items()})


def decode_event(record: Record) -> RecordedEvent:
    """Return the event of a record; of a type that is not known, what its headers and its key say.

    Raises Undecodable for a record without event id, type, sequence or note id, and for a known type whose data is
    not JSON or does not validate.
    """
    received = read(record.headers, record.value)
    event_id = parse_id(received.id)
    if event_id is None:
        raise Undecodable("ce_id is missing or is no UUID")
    if received.type is None:
        raise Undecodable("ce_type is missing")
    version = _version(received.sequence)
    validate = _VALIDATORS.get(received.type)
    if validate is None:
        note_id = parse_id((record.key or b"").decode(errors="replace"))
        if note_id is None:
            raise Undecodable(f"the type {received.type} is not known, and the key is no note id")
        return RecordedEvent(note_id, version, event_id, received.type, None, None, record, received.causationid)
    if received.data is None:
        raise Undecodable("there is no data")
    try:
        data = validate(received.data)
        occurred_at = parse_time(data.occurred_at)
    except ValidationError as error:
        raise Undecodable(str(refusal(EVENTS[received.type], received.data, error))) from None
    except ValueError as error:
        raise Undecodable(f"occurred_at: {error}") from error
    if data.version != version:
        raise Undecodable(f"ce_sequence is {version}, but the data's version is {data.version}")
    return RecordedEvent(
        data.note_id, version, event_id, received.type, data, occurred_at, record, received.causationid
    )


def _version(sequence: str | None) -> int:
    if sequence is None:
        raise Undecodable("ce_sequence is missing")
    if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= _SEQUENCE_DIGITS):
        raise Undecodable("ce_sequence is no version")
    version = int(sequence)
    if version < 1:
        raise Undecodable("ce_sequence is below 1")
    return version
