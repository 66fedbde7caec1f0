"""The headers of records as JSON Schemas: CloudEvents 1.0, Kafka binding, binary mode. Every value is UTF-8 text."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, Literal

from pydantic import TypeAdapter

from notes_contracts.codes import Code
from notes_contracts.ids import Id
from notes_contracts.times import Timestamp

Kind = Literal["Command", "Event", "Outcome", "DeadLetter"]

UUID: Final[dict[str, Any]] = TypeAdapter(Id).json_schema()
TIME: Final[dict[str, Any]] = TypeAdapter(Timestamp).json_schema()
_TEXT: Final = {"type": "string"}
_NUMBER: Final = {"type": "string", "pattern": "^[0-9]+$"}


def _described(schema: Mapping[str, Any], description: str) -> dict[str, Any]:
    return {**schema, "description": description}


_COMMON: Final = {
    "ce_type": _described(_TEXT, "The type of the message, with its version."),
    "ce_specversion": _described(_TEXT, "The version of CloudEvents: 1.0."),
    "content-type": _described(_TEXT, "What the value is: `application/json`."),
    "ce_correlationid": _described(_TEXT, "What belongs together, whatever upstream means by it; else the command id."),
    "ce_authtype": _described(
        _TEXT, "What asked: `user`, `service_account`. Continued from the command; at most 32 letters, else dropped."
    ),
    "ce_authid": _described(
        _TEXT, "Who asked. Continued from the command; 1 to 256 characters, no control character, else dropped."
    ),
    **dict.fromkeys(
        ("traceparent", "tracestate"),
        _described(
            _TEXT,
            "W3C trace context. Continued from the command to what follows from it; what is not valid is dropped.",
        ),
    ),
}
_COMMAND: Final = {
    "ce_id": _described(UUID, "The command id, and the idempotency key: the same id again has no further effect."),
    **_COMMON,
    "ce_source": _described(_TEXT, "Who sends it."),
    "ce_time": _described(_TEXT, "When it was sent."),
    "ce_subject": _described(_TEXT, "Ignored: the note is named by the data."),
    "ce_causationid": _described(_TEXT, "What made upstream send it. Not passed on."),
    "redrive-of": _described(_TEXT, "Of a dead letter sent back: its command id, else its topic:partition:offset."),
}
_EVENT: Final = {
    "ce_id": _described(UUID, "The event id; a repeat has the same."),
    **_COMMON,
    "ce_source": _described(_TEXT, "The service that wrote it."),
    "ce_time": _described(TIME, "When it happened."),
    "ce_subject": _described(UUID, "The note id."),
    "ce_sequence": _described(_NUMBER, "The note's version."),
    "ce_causationid": _described(UUID, "The id of the command that this follows from."),
}
_OUTCOME: Final = {
    **_EVENT,
    "ce_id": _described(UUID, "The outcome id; the outcome of a command that comes again has the same."),
    "ce_time": _described(TIME, "When it was decided."),
    "ce_subject": _described(UUID, "The note id, if the command told one."),
    "ce_sequence": _described(_NUMBER, "The note's version, if the command was accepted."),
}
_CODES: Final = (Code.UNDECODABLE.value, Code.INTERNAL.value)
_DEAD_LETTER: Final = {
    "dead-letter-code": _described(
        {"type": "string", "enum": list(_CODES)}, "`undecodable`: nobody can read it. `internal`: our fault."
    ),
    "dead-letter-reason": _described(_TEXT, "A sentence for people."),
    "dead-letter-topic": _described(_TEXT, "The topic that the record was on."),
    "dead-letter-partition": _described(_NUMBER, "Its partition there."),
    "dead-letter-offset": _described(_NUMBER, "Its offset there."),
    "dead-letter-time": _described(TIME, "When it was given up."),
}


def _schema(properties: Mapping[str, Any], required: tuple[str, ...], description: str) -> dict[str, Any]:
    return {"type": "object", "description": description, "properties": dict(properties), "required": list(required)}


_OURS: Final = ("ce_id", "ce_type", "ce_specversion", "content-type", "ce_source", "ce_time")
HEADERS: Final = MappingProxyType[Kind, dict[str, Any]](
    {
        "Command": _schema(
            _COMMAND,
            ("ce_id", "ce_type"),
            "Headers of a command. One that is not UTF-8, or holds NUL, counts as absent.",
        ),
        "Event": _schema(
            _EVENT,
            (*_OURS, "ce_subject", "ce_sequence"),
            "Headers of an event. A snapshot has no command for a cause; every other event has one.",
        ),
        "Outcome": _schema(_OUTCOME, (*_OURS, "ce_correlationid", "ce_causationid"), "Headers of an outcome."),
        "DeadLetter": _schema(
            _DEAD_LETTER,
            tuple(_DEAD_LETTER),
            "The record's own headers as they came, and these. They replace those of an earlier dead letter.",
        ),
    }
)
