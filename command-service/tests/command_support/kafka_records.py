"""Records as aiokafka hands them over."""

import json
from typing import Any, TypeAlias

from aiokafka import ConsumerRecord
from command_support.builders import TOPIC

Headers = tuple[tuple[str, bytes | None], ...]
Record: TypeAlias = "ConsumerRecord[bytes, bytes]"
CREATE = "notes.command.create-note.v1"
UPDATE = "notes.command.update-note.v1"
COMMAND_ID = "0b0e7f3c-1d2a-4b5c-8d9e-0f1a2b3c4d5e"
NOTE_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301"
OTHER_ID = "99999999-4f89-41d3-9a0c-0305e82c3301"


def record(
    value: bytes | None = None,
    *,
    key: bytes | None = NOTE_ID.encode(),
    headers: Headers = (),
    topic: str = TOPIC,
    partition: int = 3,
    offset: int = 42,
) -> Record:
    return ConsumerRecord(
        topic=topic,
        partition=partition,
        offset=offset,
        timestamp=0,
        timestamp_type=0,
        key=key,
        value=value,
        checksum=None,
        serialized_key_size=len(key or b""),
        serialized_value_size=len(value or b""),
        headers=headers,
    )


def binary(
    data: dict[str, Any] | bytes | None,
    *,
    ce_id: bytes | None = COMMAND_ID.encode(),
    ce_type: bytes | None = CREATE.encode(),
    more: Headers = (),
    **rest: Any,
) -> Record:
    value = json.dumps(data, ensure_ascii=False).encode() if isinstance(data, dict) else data
    return record(value, headers=(("ce_id", ce_id), ("ce_type", ce_type), *more), **rest)


def structured(
    envelope: dict[str, Any] | bytes,
    content_type: bytes = b"application/cloudevents+json",
    more: Headers = (),
    **rest: Any,
) -> Record:
    value = json.dumps(envelope).encode() if isinstance(envelope, dict) else envelope
    return record(value, headers=(*more, ("content-type", content_type)), **rest)


def created(**changes: Any) -> dict[str, Any]:
    return {"note_id": NOTE_ID, "title": "T", **changes}


def updated(**changes: Any) -> dict[str, Any]:
    return {"note_id": NOTE_ID, "body": "B", **changes}
