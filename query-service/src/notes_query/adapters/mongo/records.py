"""Kafka records as documents: waiting events keep theirs, and so do dead letters."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from notes_query.projections.recorded_event import Record, RecordedEvent


class StoredRecord(NamedTuple):
    """A record as it was read from Kafka."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def record_fields(record: Record) -> dict[str, Any]:
    """Return the fields that `stored_record` reads."""
    return {
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
        "key": record.key,
        "value": record.value,
        "headers": [[name, value] for name, value in record.headers],
    }


def stored_record(document: Mapping[str, Any]) -> StoredRecord:
    """Return the record that a document keeps."""
    return StoredRecord(
        document["topic"],
        document["partition"],
        document["offset"],
        document["key"],
        document["value"],
        tuple((name, value) for name, value in document["headers"]),
    )


def parked_id(note_id: str, version: int) -> str:
    """Return the id of a waiting event: one per version, so that a repeat is no second one."""
    return f"{note_id}:{version}"


def parked_event(event: RecordedEvent, kind: str) -> dict[str, Any]:
    """Return the document of a waiting event (`gap`), or of one that has another's version (`fork`)."""
    at = parked_id(event.note_id, event.version)
    return {
        "_id": at if kind == "gap" else f"{at}:{event.id}",
        "kind": kind,
        "note_id": event.note_id,
        "version": event.version,
        "event_id": event.id,
        "type": event.type,
        "parked_at": datetime.now(UTC),
        **record_fields(event.record),
    }
