"""Commands BACKWARD, events and outcomes FULL_TRANSITIVE, and what AsyncAPI says around them."""

from collections.abc import Iterator
from typing import Any, Final

from pydantic import ValidationError

from notes_contracts.messages import COMMANDS, MESSAGES, digest_of
from tools.contract_gate.containment import changed_defaults, complaints, whole
from tools.contract_gate.release import Document, Release

COMMAND: Final = "notes.command."


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


def asyncapi_breaks(old: Release, new: Release) -> Iterator[str]:
    """Give a sentence for each break of topics and headers."""
    for document in (name for name in old.api if name.endswith(".asyncapi")):
        if document not in new.api:
            yield f"{document}: {old.name} has it, {new.name} has not"
            continue
        was, now = old.api[document], new.api[document]
        for place in _topics(was, now):
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


def _settings(channel: dict[str, Any]) -> dict[str, Any]:
    binding = channel["bindings"]["kafka"]
    return {"partitions": binding["partitions"], **binding["topicConfiguration"]}


def _unbounded(value: float) -> float:
    return float("inf") if value == -1 else value


def _headers(name: str, old: dict[str, Any], new: dict[str, Any] | None) -> Iterator[str]:
    if new is None:
        yield f"{name}: it is gone"
        return
    if new.get("contentType") != old.get("contentType"):
        yield f"{name}: its value is {new.get('contentType')}, no longer {old.get('contentType')}"
    headers, others = old["headers"], new["headers"]
    if COMMAND in name:  # an upstream of then writes, this version reads
        for sentence in complaints(headers, others):
            yield f"{name}: headers that upstreams send are refused: {sentence}"
    else:
        for sentence in complaints(others, headers):
            yield f"{name}: readers of then do not find the headers they know: {sentence}"
