"""From a record to an event. Each record is decoded once."""

from types import MappingProxyType
from typing import Final

from pydantic import ValidationError

from notes_chassis.unread import why_unread
from notes_contracts import EVENTS, Received, parse_id, parse_time, read
from notes_contracts.slips import missing
from notes_contracts.validation import DATA_MAX, json_validator, refusal, too_large
from notes_query.errors import Undecodable
from notes_query.projections.recorded_event import Record, RecordedEvent

_SEQUENCE_DIGITS: Final = 18
"""Fits the 64 bits that a store has for a version."""

_TYPE_MAX: Final = 200
"""Characters of an unknown type that are kept."""

_VALIDATORS: Final = MappingProxyType({name: json_validator(model) for name, model in EVENTS.items()})


def decode_event(record: Record) -> RecordedEvent:
    """Return the event of a record; of a type that is not known, what its headers and its key say.

    Raises Undecodable for a record without event id, type, sequence or note id, and for a known type whose data is
    not JSON or does not validate.
    """
    received = read(record.headers, record.value)
    event_id = parse_id(received.id)
    if event_id is None or received.type is None or received.sequence is None:
        raise Undecodable(_lacking(record, received))
    version = _version(received.sequence)
    validate = _VALIDATORS.get(received.type)
    if validate is None:
        note_id = parse_id((record.key or b"").decode(errors="replace"))
        if note_id is None:
            raise Undecodable("unknown type, and the key is not a note id")
        type_ = received.type[:_TYPE_MAX]
        return RecordedEvent(note_id, version, event_id, type_, None, None, record, received.causationid)
    if received.data is None or len(received.data) > DATA_MAX:
        raise Undecodable("there is no data" if received.data is None else str(too_large()))
    try:
        data = validate(received.data)
        occurred_at = parse_time(data.occurred_at)
    except ValidationError as error:
        raise Undecodable(str(refusal(EVENTS[received.type], received.data, error))) from None
    except ValueError:
        raise Undecodable("occurred_at: not a time that exists") from None
    if data.version != version:
        raise Undecodable(f"ce_sequence is {version}, but the data's version is {data.version}")
    return RecordedEvent(
        data.note_id, version, event_id, received.type, data, occurred_at, record, received.causationid
    )


def _lacking(record: Record, received: Received) -> str:
    for name, found in (("id", received.id), ("type", received.type), ("sequence", received.sequence)):
        if found is None:
            return why_unread(record.headers) or missing(name, record.headers, record.value)
    return "ce_id is not a UUID with dashes"


def _version(sequence: str) -> int:
    if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= _SEQUENCE_DIGITS):
        raise Undecodable("ce_sequence is no version")
    version = int(sequence)
    if version < 1:
        raise Undecodable("ce_sequence is below 1")
    return version
