"""A break of every rule of the gate about messages, and what the gate says of it."""

from collections.abc import Callable
from typing import Any

from tools.contract_gate.release import Release

CREATE, UPDATE = "notes.command.create-note.v1", "notes.command.update-note.v1"
RENAME = "notes.command.rename-note.v1"
CREATED, TAGGED = "notes.event.note-created.v1", "notes.event.note-tagged.v1"
SNAPSHOT, ACCEPTED = "notes.event.note-snapshotted.v1", "notes.outcome.accepted.v1"
COMMAND_API = "command-service.asyncapi"

CLEANUP = "cleanup.policy"

Plant = Callable[[Release], Any]


def field(release: Release, message: str, name: str) -> dict[str, Any]:
    found: dict[str, Any] = release.schemas[message]["properties"][name]
    return found


def channel(release: Release, name: str) -> dict[str, Any]:
    found: dict[str, Any] = release.api[COMMAND_API]["channels"][name]
    return found


def headers(release: Release, name: str) -> dict[str, Any]:
    found: dict[str, Any] = release.api[COMMAND_API]["components"]["schemas"][name]
    return found


def configuration(release: Release, name: str) -> dict[str, Any]:
    found: dict[str, Any] = channel(release, name)["bindings"]["kafka"]["topicConfiguration"]
    return found


def key(release: Release, message: str) -> dict[str, Any]:
    found: dict[str, Any] = release.api[COMMAND_API]["components"]["messages"][message]["bindings"]["kafka"]["key"]
    return found


def add(release: Release, message: str, name: str, *, required: bool = False) -> None:
    release.schemas[message]["properties"][name] = {"type": "string"}
    if required:
        release.schemas[message]["required"].append(name)


BACKWARD = f"{CREATE}: this version does not read every command of 1.0.0: "
TAG = '{"pattern": "^[A-Za-z0-9][A-Za-z0-9-]{0,31}$", "type": "string"}'
UNIQUE = '{"type": "array", "uniqueItems": true}'
TEXT = '{"type": "string"}'
WITHOUT_CODE = (
    f'{{"properties": {{"code": false, "message": {TEXT}}}, "propertyNames": {{"enum": ["code", "message"]}}, '
    '"required": ["message"], "type": "object"}'
)
NUL = r'"pattern": "^[^\\x00]*$", "type": "string"}'
MORE = "may be written, and is not read"
ABSENT = "it may be absent from what is written, and is required by what reads it"
READS_OLD = ": this version does not read all that 1.0.0 wrote: "
READS_NEW = ": 1.0.0 does not read all that this version writes: "

COMMANDS: dict[str, tuple[Plant, str]] = {
    "a type is gone": (
        lambda new: new.schemas.pop(CREATE),
        f"{CREATE}: 1.0.0 has it, this version has not. What was sent once is read for ever",
    ),
    "a new field is required": (
        lambda new: add(new, CREATE, "colour", required=True),
        f"{BACKWARD}colour: {ABSENT}",
    ),
    "a field becomes required": (
        lambda new: new.schemas[CREATE]["required"].append("author"),
        f"{BACKWARD}author: {ABSENT}",
    ),
    "a field is gone": (
        lambda new: new.schemas[CREATE]["properties"].pop("author"),
        BACKWARD + "author: it may be written, and is refused as unknown",
    ),
    "a limit is lower": (
        lambda new: field(new, CREATE, "title").update(maxLength=100),
        f'{BACKWARD}title: {{"maxLength": 200, "minLength": 101, {NUL} {MORE}',
    ),
    "a limit is new": (
        lambda new: field(new, CREATE, "tags").update(maxItems=10),
        f'{BACKWARD}tags: {{"items": {TAG}, "minItems": 11, "type": "array"}} {MORE}',
    ),
    "a minimum is higher": (
        lambda new: field(new, CREATE, "title").update(minLength=2),
        f'{BACKWARD}title: {{"maxLength": 1, "minLength": 1, {NUL} {MORE}',
    ),
    "a pattern is another": (
        lambda new: field(new, CREATE, "tags")["items"].update(pattern="^[a-z]+$"),
        f'{BACKWARD}tags.[]: {{"allOf": [{{"not": {{"pattern": "^[a-z]+$"}}}}], {TAG[1:]} {MORE}',
    ),
    "a type is another": (
        lambda new: field(new, CREATE, "title").update(type="integer"),
        f'{BACKWARD}title: {{"maxLength": 200, "minLength": 1, {NUL} {MORE}',
    ),
    "null is not read any more": (
        lambda new: field(new, CREATE, "author").update(anyOf=[{"type": "string"}]),
        f'{BACKWARD}author: {{"type": "null"}} {MORE}',
    ),
    "only some values are read": (
        lambda new: field(new, CREATE, "title").update(enum=["A", "B"]),
        f'{BACKWARD}title: {{"maxLength": 200, "minLength": 1, "not": {{"enum": ["A", "B"]}}, {NUL} {MORE}',
    ),
    "what is left out means something else": (
        lambda new: field(new, CREATE, "body").update(default="-"),
        BACKWARD + "body: left out it meant '', and now means '-'",
    ),
    "what is left out means nothing any more": (
        lambda new: field(new, CREATE, "body").pop("default"),
        BACKWARD + "body: left out it meant '', and now has no default",
    ),
    "no tag may come twice": (
        lambda new: field(new, CREATE, "tags").update(uniqueItems=True),
        f'{BACKWARD}tags: {{"allOf": [{{"not": {UNIQUE}}}], "items": {TAG}, "minItems": 2, "type": "array"}} {MORE}',
    ),
    "a header is required": (
        lambda new: headers(new, "CommandHeaders")["required"].append("ce_source"),
        f"{COMMAND_API}: {CREATE}: headers that upstreams send are refused: ce_source: {ABSENT}",
    ),
}
EVENTS: dict[str, tuple[Plant, str]] = {
    "an event is gone": (
        lambda new: new.schemas.pop(CREATED),
        f"{CREATED}: 1.0.0 has it, this version has not. What was sent once is read for ever",
    ),
    "a new field is required": (
        lambda new: add(new, CREATED, "colour", required=True),
        f"{CREATED}{READS_OLD}colour: {ABSENT}",
    ),
    "a field is gone": (
        lambda new: (new.schemas[CREATED]["properties"].pop("body"), new.schemas[CREATED]["required"].remove("body")),
        f"{CREATED}{READS_NEW}body: {ABSENT}",
    ),
    "a field may be absent": (
        lambda new: new.schemas[TAGGED]["required"].remove("tags"),
        f"{TAGGED}{READS_NEW}tags: {ABSENT}",
    ),
    "a field may be null": (
        lambda new: field(new, CREATED, "title").update(type=["string", "null"]),
        f'{CREATED}{READS_NEW}title: {{"type": "null"}} {MORE}',
    ),
    "there is a new value": (
        lambda new: field(new, SNAPSHOT, "status")["enum"].append("draft"),
        f'{SNAPSHOT}{READS_NEW}status: {{"const": "draft"}} {MORE}',
    ),
    "a value is gone": (
        lambda new: field(new, SNAPSHOT, "status")["enum"].remove("deleted"),
        f'{SNAPSHOT}{READS_OLD}status: {{"const": "deleted"}} {MORE}',
    ),
    "more is written than is read": (
        lambda new: field(new, CREATED, "tags").update(maxItems=2_000),
        f'{CREATED}{READS_NEW}tags: {{"items": {TEXT}, "maxItems": 2000, "minItems": 1001, "type": "array"}} {MORE}',
    ),
    "less is read than was written": (
        lambda new: field(new, CREATED, "version").update(minimum=2),
        f'{CREATED}{READS_OLD}version: {{"const": 1}} {MORE}',
    ),
    "an outcome's error says less": (
        lambda new: new.schemas[ACCEPTED]["$defs"]["OutcomeError"]["required"].remove("code"),
        f"{ACCEPTED}{READS_NEW}error: {WITHOUT_CODE} {MORE}",
    ),
    "unknown fields are refused": (
        lambda new: new.schemas[CREATED].update(additionalProperties=False),
        f"{CREATED}: unknown fields are refused. Readers of events and outcomes must ignore them",
    ),
    "a header is gone": (
        lambda new: headers(new, "EventHeaders")["required"].remove("ce_sequence"),
        f"{COMMAND_API}: {CREATED}: readers of then do not find the headers they know: ce_sequence: {ABSENT}",
    ),
    "a message has left its document": (
        lambda new: new.api[COMMAND_API]["components"]["messages"].pop(CREATED),
        f"{COMMAND_API}: {CREATED}: it is gone",
    ),
    "a value is of another kind": (
        lambda new: new.api[COMMAND_API]["components"]["messages"][CREATED].update(contentType="application/avro"),
        f"{COMMAND_API}: {CREATED}: its value is application/avro, no longer application/json",
    ),
}
TOPICS: dict[str, tuple[Plant, str]] = {
    "the document is gone": (
        lambda new: new.api.pop(COMMAND_API),
        f"{COMMAND_API}: 1.0.0 has it, this version has not",
    ),
    "a topic is gone": (
        lambda new: new.api[COMMAND_API]["channels"].pop("events"),
        f"{COMMAND_API}: the topic notes.events is gone",
    ),
    "a topic is renamed": (
        lambda new: channel(new, "events").update(address="notes.facts"),
        f"{COMMAND_API}: the topic notes.events is called notes.facts",
    ),
    "there are more partitions": (
        lambda new: channel(new, "events")["bindings"]["kafka"].update(partitions=24),
        f"{COMMAND_API}: notes.events has 24 partitions, not 12: keys move, and a note's order is lost",
    ),
    "records are smaller": (
        lambda new: configuration(new, "commands").update({"max.message.bytes": 1_048_576}),
        f"{COMMAND_API}: notes.commands: max.message.bytes is 1048576, less than 2097152",
    ),
    "events are not kept for ever": (
        lambda new: configuration(new, "events").update({"retention.ms": 1}),
        f"{COMMAND_API}: notes.events: retention.ms is 1, less than -1",
    ),
    "events are compacted": (
        lambda new: configuration(new, "events").update({CLEANUP: ["compact"]}),
        f"{COMMAND_API}: notes.events: {CLEANUP} is ['compact'], no longer ['delete']",
    ),
    "a message is on another topic": (
        lambda new: channel(new, "events")["messages"].pop(CREATED),
        f"{COMMAND_API}: notes.events: {CREATED} is not on it any more",
    ),
    "a key is of another kind": (
        lambda new: key(new, "commandDeadLetters").update(type="integer"),
        f"{COMMAND_API}: commandDeadLetters: its key is {{'type': 'integer'}}, no longer {{'type': 'string'}}",
    ),
    "a service does the opposite": (
        lambda new: new.api[COMMAND_API]["operations"]["sendEvents"].update(action="receive"),
        f"{COMMAND_API}: sendEvents: it does receive on #/channels/events",
    ),
    "a service leaves a topic": (
        lambda new: new.api[COMMAND_API]["operations"].pop("sendEvents"),
        f"{COMMAND_API}: sendEvents is gone",
    ),
}
CODES: dict[str, tuple[Plant, str]] = {
    "a code is renamed": (
        lambda new: new.codes.update(stale_version=new.codes.pop("version_conflict")),
        "version_conflict: 1.0.0 has it with status 409, this version has it not",
    ),
    "a code has another status": (
        lambda new: new.codes.update(version_conflict=412),
        "version_conflict: 1.0.0 has it with status 409, this version has 412",
    ),
}
