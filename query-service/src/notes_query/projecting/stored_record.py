"""Kafka records in MongoDB: those of waiting events and of dead letters."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, NamedTuple, Protocol

from notes_query.projections.read_model import Record


class StoredRecord(NamedTuple):
    """A record as it was read from Kafka."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


def record_fields(record: Record) -> dict[str, Any]:
    """Return the fields of a record that `stored_record` reads."""
    fields = {name: getattr(record, name) for name in StoredRecord._fields}
    return fields | {"headers": [list(header) for header in record.headers]}


def bytes_in(record: Record) -> int:
    """Return how many bytes a record holds."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def stored_record(document: Mapping[str, Any]) -> StoredRecord:
    """Return the record whose fields a document has."""
    record = StoredRecord(*(document[name] for name in StoredRecord._fields))
    return record._replace(headers=tuple((name, value) for name, value in record.headers))


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that cannot be processed, why it was given up, and when.

    `code` is a Code, or the text of a code that only a newer release knows.
    """

    record: Record
    code: str
    reason: str
    at: datetime
    mark: str = ""
    """The record's digest if another record had the same offset before, of a topic made anew; else empty."""

    @property
    def id(self) -> str:
        """Return the dead letter's id: the same record is the same dead letter."""
        return f"{self.place}#{self.mark}" if self.mark else self.place

    @property
    def place(self) -> str:
        """Return topic, partition and offset of the record."""
        return f"{self.record.topic}:{self.record.partition}:{self.record.offset}"

    def is_of(self, record: Record) -> bool:
        """Return whether it has the content of that record, not that of another at the same offset."""
        return _content(self.record) == _content(record)

    def marked(self) -> "DeadLetter":
        """Return the dead letter with the mark of one that is not the first at its offset."""
        key, value, headers = _content(self.record)
        parts = repr((key, headers)).encode(), b"none" if value is None else sha256(value).digest()
        return replace(self, mark=sha256(b"".join(parts)).hexdigest()[:16])


def _content(record: Record) -> tuple[object, bytes | None, object]:
    return record.key, record.value, [(name, value) for name, value in record.headers]


class DeadLetterStore(Protocol):
    """Where the pipeline puts records that it gives up. Raises StoreUnavailable."""

    async def add(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Insert the dead letters that are missing; the others stay as they are."""
