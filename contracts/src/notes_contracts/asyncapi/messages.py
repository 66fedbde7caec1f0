"""The channels, in words, and their messages with headers, key, payload and an example."""

from dataclasses import dataclass
from typing import Any, Final

from notes_contracts import messages
from notes_contracts.asyncapi.headers import UUID, Kind
from notes_contracts.cloudevents import write
from notes_contracts.codes import Code
from notes_contracts.events import Outcome
from notes_contracts.examples import CHANGED_AT, COMMAND_ID, EXAMPLES, MESSAGE_ID, TRACEPARENT
from notes_contracts.messages import MESSAGES
from notes_contracts.topics import (
    COMMAND_DEAD_LETTERS_TOPIC,
    COMMANDS_TOPIC,
    EVENT_DEAD_LETTERS_TOPIC,
    EVENTS_TOPIC,
    OUTCOMES_TOPIC,
    Topic,
)

BINDING: Final = "0.5.0"
"""The version of AsyncAPI's Kafka binding."""


@dataclass(frozen=True, slots=True)
class Channel:
    """A topic as AsyncAPI sees it. `name` is its key in the document; `types` are empty for dead letters."""

    name: str
    topic: Topic
    kind: Kind
    title: str
    description: str
    types: tuple[str, ...] = ()


COMMANDS: Final = Channel(
    "commands",
    COMMANDS_TOPIC,
    "Command",
    "Commands",
    "What upstream asks for. Structured mode (`content-type: application/cloudevents+json`) is read, too. The key is "
    "the note id in lower case, so that one note's commands keep their order.",
    tuple(messages.COMMANDS),
)
EVENTS: Final = Channel(
    "events",
    EVENTS_TOPIC,
    "Event",
    "Events",
    "What happened, kept for ever. A note's versions are dense: 1, 2, 3, …; repeats have the same `ce_id`. A reader "
    "ignores fields and types that it does not know.",
    tuple(messages.EVENTS),
)
OUTCOMES: Final = Channel(
    "outcomes",
    OUTCOMES_TOPIC,
    "Outcome",
    "Outcomes",
    "The answer to each command, one for each command id, sent again when the command comes again.",
    tuple(messages.OUTCOMES),
)
COMMAND_DEAD_LETTERS: Final = Channel(
    "commandDeadLetters",
    COMMAND_DEAD_LETTERS_TOPIC,
    "DeadLetter",
    "Dead letters of commands",
    "Records of the topic of commands that nobody could process: value, key and headers as they came, and why.",
)
EVENT_DEAD_LETTERS: Final = Channel(
    "eventDeadLetters",
    EVENT_DEAD_LETTERS_TOPIC,
    "DeadLetter",
    "Dead letters of events and outcomes",
    "Records of the topics of events and outcomes that the reader could not process: value, key and headers as they "
    "came, and why.",
)


def messages_of(channel: Channel) -> dict[str, dict[str, Any]]:
    """Return the messages of a channel by name."""
    if channel.kind == "DeadLetter":
        return {channel.name: _dead_letter(channel)}
    return {ce_type: _message(ce_type, channel.kind) for ce_type in channel.types}


def _message(ce_type: str, kind: Kind) -> dict[str, Any]:
    model = MESSAGES[ce_type]
    payload: dict[str, Any] = {"$ref": f"#/components/schemas/{model.__name__}"}
    title = model.__name__
    if issubclass(model, Outcome):
        status = ce_type.split(".")[2]
        title = f"Outcome: {status}"
        payload = {"allOf": [payload, {"type": "object", "properties": {"status": {"const": status}}}]}
    typed = {"type": "object", "properties": {"ce_type": {"const": ce_type}}}
    return {
        "name": ce_type,
        "title": title,
        "summary": (model.__doc__ or "").partition("\n")[0],
        "contentType": "application/json",
        "headers": {"allOf": [{"$ref": f"#/components/schemas/{kind}Headers"}, typed]},
        "payload": payload,
        "correlationId": {"location": "$message.header#/ce_correlationid"},
        "bindings": _keyed("The note id in lower case; of an outcome without a note, the command id.", UUID),
        "examples": [_example(ce_type, kind)],
    }


def _example(ce_type: str, kind: Kind) -> dict[str, Any]:
    message = EXAMPLES[ce_type]
    if kind == "Command":
        record = write(message, id=COMMAND_ID, source="/upstream", time=CHANGED_AT, traceparent=TRACEPARENT)
    else:
        time = getattr(message, "occurred_at", None) or getattr(message, "at", None)
        command = None if ce_type.startswith("notes.event.note-snapshotted.") else COMMAND_ID
        record = write(
            message,
            id=MESSAGE_ID,
            source="/notes/command-service",
            time=time,
            correlationid=command,
            causationid=command,
            traceparent=command and TRACEPARENT,
        )
    headers = {name: value.decode() for name, value in record.headers}
    return {"name": ce_type, "headers": headers, "payload": message.model_dump(mode="json")}


def _dead_letter(channel: Channel) -> dict[str, Any]:
    source = COMMANDS_TOPIC if channel.name == "commandDeadLetters" else EVENTS_TOPIC
    headers = {
        "ce_id": COMMAND_ID,
        "dead-letter-code": Code.UNDECODABLE.value,
        "dead-letter-reason": "there is no ce_type",
        "dead-letter-topic": source.name,
        "dead-letter-partition": "3",
        "dead-letter-offset": "4711",
        "dead-letter-time": CHANGED_AT,
    }
    return {
        "name": channel.name,
        "title": channel.title,
        "summary": channel.description,
        "contentType": "application/octet-stream",
        "headers": {"$ref": "#/components/schemas/DeadLetterHeaders"},
        "payload": {"description": "The record's value, byte for byte; it may be anything, or absent."},
        "bindings": _keyed("The record's own key, whatever it is.", {"type": "string"}),
        "examples": [{"name": channel.name, "headers": headers, "payload": '{"note_id":'}],
    }


def _keyed(description: str, key: dict[str, Any]) -> dict[str, Any]:
    return {"kafka": {"key": {**key, "description": description}, "bindingVersion": BINDING}}
