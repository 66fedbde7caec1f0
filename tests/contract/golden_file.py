"""A golden message: one literal record of each type, written by hand from section 2 of the design."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from aiokafka import ConsumerRecord

FOLDER = Path(__file__).parent / "golden"


@dataclass(frozen=True, slots=True)
class Golden:
    """A record as it stands on its topic."""

    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes

    @property
    def attributes(self) -> dict[str, bytes]:
        return dict(self.headers)

    @property
    def data(self) -> dict[str, Any]:
        parsed: dict[str, Any] = json.loads(self.value)
        return parsed


def golden(name: str) -> Golden:
    """Return the golden message of a `ce_type`."""
    text = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    headers = tuple((header, value.encode()) for header, value in text["headers"].items())
    return Golden(text["key"].encode(), headers, text["value"].encode())


def with_unknown_field(message: Golden) -> Golden:
    """Return the message as a later version of its writer may send it."""
    data = {**message.data, "colour": "blue", "nested": {"a": [1, None]}}
    return Golden(message.key, (*message.headers, ("ce_colour", b"blue")), json.dumps(data).encode())


def structured(message: Golden) -> Golden:
    """Return the same message in structured mode."""
    attributes = {name.removeprefix("ce_"): value.decode() for name, value in message.headers if name != "content-type"}
    envelope = {**attributes, "datacontenttype": "application/json", "data": message.data}
    content_type = (("content-type", b"application/cloudevents+json; charset=utf-8"),)
    return Golden(message.key, content_type, json.dumps(envelope).encode())


def as_consumed(message: Golden, topic: str, offset: int = 0) -> "ConsumerRecord[bytes, bytes]":
    """Return the message as a consumer hands it over."""
    return ConsumerRecord(
        topic=topic,
        partition=0,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=message.key,
        value=message.value,
        checksum=None,
        serialized_key_size=len(message.key),
        serialized_value_size=len(message.value),
        headers=message.headers,
    )
