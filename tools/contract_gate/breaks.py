"""Who would be broken: commands BACKWARD, events and outcomes FULL_TRANSITIVE, AsyncAPI, and HTTP.

What an operation takes, and what it answers, are written as one schema each. So the rules are those of messages: the
clients of a release write its requests and read its answers.
"""

import re
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from pydantic import ValidationError

from notes_contracts.messages import COMMANDS, MESSAGES, digest_of
from tools.contract_gate.containment import Schema, changed_defaults, complaints, properties_of, whole
from tools.contract_gate.release import Document, Release

COMMAND: Final = "notes.command."
CLEANUP: Final = "cleanup.policy"
_METHODS: Final = frozenset({"get", "put", "post", "delete", "patch", "head", "options"})
_FAILURES: Final = re.compile(r"[45]..|default")


def breaks(old: Release, new: Release) -> list[str]:
    """Return a sentence for each thing of `old`, a release, that `new` breaks."""
    found = message_breaks(old, new), golden_breaks(old), code_breaks(old, new), asyncapi_breaks(old, new)
    return [*chain(*found), *http_breaks(old, new)]


def message_breaks(old: Release, new: Release) -> Iterator[str]:
    """Give a sentence for each message of `old` that the world of `new` breaks."""
    for name, schema in old.schemas.items():
        if name not in new.schemas:
            yield f"{name}: {old.name} has it, {new.name} has not. What was sent once is read for ever"
        elif name.startswith(COMMAND):
            yield from _backward(name, whole(schema), whole(new.schemas[name]), old.name)
        else:
            yield from _full(name, whole(schema), whole(new.schemas[name]), old.name)
    for name, schema in new.schemas.items():
        if not name.startswith(COMMAND) and schema.get("additionalProperties") is False:
            yield f"{name}: unknown fields are refused. Readers of events and outcomes must ignore them"


def _backward(name: str, old: Document, new: Document, release: str) -> Iterator[str]:
    for sentence in [*complaints(old, new), *changed_defaults(old, new)]:
        yield f"{name}: this version does not read every command of {release}: {sentence}"


def _full(name: str, old: Document, new: Document, release: str) -> Iterator[str]:
    for sentence in complaints(old, new):
        yield f"{name}: this version does not read all that {release} wrote: {sentence}"
    for sentence in complaints(new, old):
        yield f"{name}: {release} does not read all that this version writes: {sentence}"


def golden_breaks(old: Release) -> Iterator[str]:
    """Give a sentence for each golden message of a release that today's models read differently."""
    for name, record in old.golden.items():
        if (model := MESSAGES.get(name)) is None:
            continue  # said of its schema
        try:
            message = model.model_validate_json(record["value"])
        except ValidationError as error:
            fault = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(str(step) for step in fault["loc"])
            yield f"{name}: this version refuses the golden message of {old.name}: {where}: {fault['msg']}"
            continue
        if name in COMMANDS and digest_of(message) != old.digests[name]:  # type: ignore[arg-type]
            yield (
                f"{name}: the golden command of {old.name} has another digest: a retry across the update would be"
                " taken for another command (idempotency_key_reused)"
            )


def code_breaks(old: Release, new: Release) -> Iterator[str]:
    """Give a sentence for each code that is gone or has another status: clients branch on both."""
    for code, status in old.codes.items():
        if (now := new.codes.get(code)) != status:
            yield f"{code}: {old.name} has it with status {status}, {new.name} has " + (f"{now}" if now else "it not")


def asyncapi_breaks(old: Release, new: Release) -> Iterator[str]:
    """Give a sentence for each break of topics and headers."""
    for document in (name for name in old.api if name.endswith(".asyncapi")):
        if document not in new.api:
            yield f"{document}: {old.name} has it, {new.name} has not"
            continue
        was, now = old.api[document], new.api[document]
        for place in (*_topics(was, now), *_operated(was, now)):
            yield f"{document}: {place}"
        messages, others = (whole({"components": one["components"]})["components"]["messages"] for one in (was, now))
        for name, message in messages.items():
            yield from _headers(f"{document}: {name}", message, others.get(name))


def _topics(was: Document, now: Document) -> Iterator[str]:
    for name, channel in was["channels"].items():
        other = now["channels"].get(name)
        if other is None:
            yield f"the topic {channel['address']} is gone"
            continue
        if other["address"] != channel["address"]:
            yield f"the topic {channel['address']} is called {other['address']}"
        before, after = _settings(channel), _settings(other)
        if after["partitions"] != before["partitions"]:
            yield (
                f"{channel['address']} has {after['partitions']} partitions, not {before['partitions']}:"
                " keys move, and a note's order is lost"
            )
        for setting in ("max.message.bytes", "retention.ms"):
            if _unbounded(after[setting]) < _unbounded(before[setting]):
                yield f"{channel['address']}: {setting} is {after[setting]}, less than {before[setting]}"
        if after[CLEANUP] != before[CLEANUP]:
            yield f"{channel['address']}: {CLEANUP} is {after[CLEANUP]}, no longer {before[CLEANUP]}"
        for message in channel["messages"].keys() - other["messages"].keys():
            yield f"{channel['address']}: {message} is not on it any more"


def _settings(channel: dict[str, Any]) -> dict[str, Any]:
    binding = channel["bindings"]["kafka"]
    # The first release does not say the policy, and had Kafka's default.
    return {"partitions": binding["partitions"], CLEANUP: ["delete"], **binding["topicConfiguration"]}


def _operated(was: Document, now: Document) -> Iterator[str]:
    for name, operation in was["operations"].items():
        if (other := now["operations"].get(name)) is None:
            yield f"{name} is gone"
        elif (other["action"], other["channel"]) != (operation["action"], operation["channel"]):
            yield f"{name}: it does {other['action']} on {other['channel']['$ref']}"


def _unbounded(value: float) -> float:
    return float("inf") if value == -1 else value


def _headers(name: str, old: dict[str, Any], new: dict[str, Any] | None) -> Iterator[str]:
    if new is None:
        yield f"{name}: it is gone"
        return
    if new.get("contentType") != old.get("contentType"):
        yield f"{name}: its value is {new.get('contentType')}, no longer {old.get('contentType')}"
    if (now := _key(new)) != (was := _key(old)):
        yield f"{name}: its key is {now}, no longer {was}"
    headers, others = old["headers"], new["headers"]
    if COMMAND in name:  # an upstream of then writes, this version reads
        for sentence in complaints(headers, others):
            yield f"{name}: headers that upstreams send are refused: {sentence}"
    else:
        for sentence in complaints(others, headers):
            yield f"{name}: readers of then do not find the headers they know: {sentence}"


def _key(message: dict[str, Any]) -> dict[str, Any]:
    return {name: part for name, part in message["bindings"]["kafka"]["key"].items() if name != "description"}


def http_breaks(old: Release, new: Release) -> Iterator[str]:
    """Give a sentence for each request of a client of `old` that is refused now, or answered as it cannot read."""
    for document in (name for name in old.api if name.endswith(".openapi")):
        if document not in new.api:
            yield f"{document}: {old.name} has it, {new.name} has not"
            continue
        was, now = whole(old.api[document]), whole(new.api[document])
        known = {(path, method): one for path, method, one in operations_of(now)}
        for path, method, operation in operations_of(was):
            place = f"{document}: {method.upper()} {path}"
            if (path, method) not in known:
                yield f"{place} is gone"
                continue
            other = known[path, method]
            before, after = operation.get("security", []), other.get("security", [])
            if after != before and after and not all(way in after for way in before or [{}]):
                yield f"{place}: who may ask changed from {before or 'anybody'} to {after}"
            requests = _request(operation), _request(other)
            for sentence in [*complaints(*requests), *changed_defaults(*requests)]:
                yield f"{place}: what clients send is refused, or means something else: {sentence}"
            for sentence in complaints(_answers(other), _answers(operation)):
                yield f"{place}: clients of then do not read what is answered: {sentence}"
            now_of = statuses_of(other)
            for code, status in statuses_of(operation).items():
                if now_of.get(code, status) != status:
                    yield f"{place}: {code} is answered with {now_of[code]}, no longer with {status}"


def operations_of(document: Document) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Give path, method and description of each operation; parts of a path have no names."""
    for path, methods in document["paths"].items():
        for method in methods.keys() & _METHODS:
            yield re.sub(r"\{.*?\}", "{}", path), method, methods[method]


def _request(operation: dict[str, Any]) -> Schema:
    """Return the parameters, and the kinds of bodies, as one object that holds nothing else.

    Parameters in the path go by their place, since a client does not see their names.
    """
    parts, required, placed = dict[str, Schema](), list[str](), 0
    for parameter in operation.get("parameters", []):
        name = parameter["name"].lower() if parameter["in"] == "header" else parameter["name"]
        if parameter["in"] == "path":
            placed += 1
            name = str(placed)
        parts[f"{parameter['in']} {name}"] = parameter["schema"]
        required += [f"{parameter['in']} {name}"] * parameter.get("required", False)
    if body := operation.get("requestBody"):
        kinds = _schemas(body["content"])
        parts["body"] = {"type": "object", "properties": kinds, "additionalProperties": False}
        required += ["body"] * body.get("required", False)
    return {"type": "object", "properties": parts, "required": required, "additionalProperties": False}


def _answers(operation: dict[str, Any]) -> Schema:
    """Return the answers by status as one object, to which more may be added, and of whose failures any may go."""
    answers = {status: _answer(status, answer) for status, answer in operation["responses"].items()}
    return _object(answers, [status for status in answers if not _FAILURES.fullmatch(status)])


def _answer(status: str, answer: dict[str, Any]) -> Schema:
    kinds = _schemas(answer.get("content", {}))
    if _FAILURES.fullmatch(status):
        # Codes are added as reasons are: a client takes one that it does not know for its status.
        kinds = {kind: _object({name: {} for name in properties_of(one)[1]}) for kind, one in kinds.items()}
    return _object({"headers": _object(_schemas(answer.get("headers", {}))), "content": _object(kinds)})


def statuses_of(operation: dict[str, Any]) -> dict[str, str]:
    """Return the status of each code that a problem of this operation may have."""
    return {
        code: status
        for status, answer in operation["responses"].items()
        for kind in _schemas(answer.get("content", {})).values()
        for code in properties_of(kind)[0].get("code", {}).get("allOf", [{}])[-1].get("enum", ())
    }


def _schemas(parts: Mapping[str, Any]) -> dict[str, Schema]:
    return {name: part.get("schema", {}) for name, part in parts.items()}


def _object(properties: Mapping[str, Schema], required: list[str] | None = None) -> Schema:
    names = list(properties) if required is None else required
    return {"type": "object", "properties": properties, "required": names}
