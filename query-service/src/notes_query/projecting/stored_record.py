"""Kafka records as documents: waiting events keep theirs, and so do dead letters."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from notes_query.projecting.pending import Fork
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


def parked_event(event: RecordedEvent) -> dict[str, Any]:
    """Return the document of a waiting event."""
    return {"_id": parked_id(event.note_id, event.version), **_named(event, "gap"), **record_fields(event.record)}


def fork_id(note_id: str, version: int, event_id: str) -> str:
    """Return the id of a fork, and of the decision to drop it."""
    return f"{parked_id(note_id, version)}:{event_id}"


def kept_fork(fork: Fork) -> dict[str, Any]:
    """Return the document of a fork. It says where the event was read, and nothing of what it says."""
    event = fork.event
    read_at = {name: value for name, value in record_fields(event.record).items() if name in _WHERE}
    return {
        "_id": fork_id(event.note_id, event.version, event.id),
        **_named(event, "fork"),
        "at": fork.at,
        **read_at,
    }


_WHERE: Final = ("topic", "partition", "offset")


def _named(event: RecordedEvent, kind: str) -> dict[str, Any]:
    return {
        "kind": kind,
        "note_id": event.note_id,
        "version": event.version,
        "event_id": event.id,
        "type": event.type,
        "parked_at": datetime.now(UTC),
    }
