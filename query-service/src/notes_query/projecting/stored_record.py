"""Kafka records that are kept: waiting events keep theirs, and so do dead letters."""

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
    """Return the fields that `stored_record` reads."""
    fields = {name: getattr(record, name) for name in StoredRecord._fields}
    return fields | {"headers": [list(header) for header in record.headers]}


def bytes_in(record: Record) -> int:
    """Return how many bytes a record holds."""
    headers = sum(len(name) + len(value or b"") for name, value in record.headers)
    return len(record.key or b"") + len(record.value or b"") + headers


def stored_record(document: Mapping[str, Any]) -> StoredRecord:
    """Return the record that a document keeps."""
    record = StoredRecord(*(document[name] for name in StoredRecord._fields))
    return record._replace(headers=tuple((name, value) for name, value in record.headers))


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record nobody can process: what was read, why it was given up, and when.

    `code` is a Code, or the text of one that only a newer release knows.
    """

    record: Record
    code: str
    reason: str
    at: datetime
    mark: str = ""
    """Which of several that were at one place, of a topic made anew: empty for the first, then the record's digest."""

    @property
    def id(self) -> str:
        """Where the record came from; the same record is the same dead letter."""
        return f"{self.place}#{self.mark}" if self.mark else self.place

    @property
    def place(self) -> str:
        """Return its topic, partition and offset."""
        return f"{self.record.topic}:{self.record.partition}:{self.record.offset}"

    def is_of(self, record: Record) -> bool:
        """Return whether it is that record, and not another one of the same place."""
        return _content(self.record) == _content(record)

    def marked(self) -> "DeadLetter":
        """Return it as one that is not the first of its place."""
        key, value, headers = _content(self.record)
        parts = repr((key, headers)).encode(), b"none" if value is None else sha256(value).digest()
        return replace(self, mark=sha256(b"".join(parts)).hexdigest()[:16])


def _content(record: Record) -> tuple[object, bytes | None, object]:
    return record.key, record.value, [(name, value) for name, value in record.headers]


class DeadLetterStore(Protocol):
    """Where the pipeline puts the records that it gives up. Raises StoreUnavailable."""

    async def add(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Keep these; one that is there already stays as it is."""
