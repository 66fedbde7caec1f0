"""A row of the outbox: what is written here is what Kafka gets, byte for byte."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from notes_command.columns import Column, Columns, encoded, ids, names_of, numbers, parameters_of, texts, times, words
from notes_command.signals import CHANNEL
from notes_contracts import format_time, headers_of
from notes_contracts.cloudevents import Headers

SOURCE: Final = "/notes/command-service"

COLUMNS: Final = (
    Column("id", "uuid", texts),
    Column("aggregatetype", "text", words),
    Column("aggregateid", "text", ids),
    Column("type", "text", words),
    Column("payload", "bytea", texts),
    Column("topic", "text", words),
    Column("shard", "smallint", numbers),
    Column("time", "timestamptz", times),
    Column("subject", "text", ids),
    Column("sequence", "int", numbers),
    Column("correlationid", "text", texts),
    Column("causationid", "text", ids),
    Column("traceparent", "text", texts),
    Column("key", "bytea", texts),
    Column("headers", "bytea", texts),
    Column("authtype", "text", texts),
    Column("authid", "text", texts),
)
"""The columns of the outbox that are written, in the order of OutboxRow."""


def insert_rows(first: int = 1) -> str:
    """Return the statement that stores rows; its parameters begin at `$first`."""
    return f"""
INSERT INTO outbox ({names_of(COLUMNS)})
SELECT * FROM unnest({parameters_of(COLUMNS, first)})
"""  # noqa: S608 - constants


# The same statement notifies, which saves a round trip. PostgreSQL delivers the notification when the commit is done.
INSERT_OUTBOX: Final = f"WITH stored AS ({insert_rows()}) SELECT pg_notify('{CHANNEL}', '')"


class OutboxRow(NamedTuple):
    """A record to be sent. The first five fields have the names that Debezium's outbox event router expects.

    `shard` is the record's Kafka partition. `headers`: packed headers of a dead letter or of a record with
    `tracestate`; None where the other fields hold all CloudEvents attributes. `key`: None means `aggregateid`.
    """

    id: str
    aggregatetype: str
    aggregateid: str
    type: str
    payload: bytes | None
    topic: str
    shard: int
    time: datetime
    subject: str | None = None
    sequence: int | None = None
    correlationid: str | None = None
    causationid: str | None = None
    traceparent: str | None = None
    key: bytes | None = None
    headers: bytes | None = None
    authtype: str | None = None
    authid: str | None = None


if OutboxRow._fields != tuple(column.name for column in COLUMNS):
    raise ImportError("the fields of OutboxRow differ from the columns of the outbox")


def row_headers(row: OutboxRow, tracestate: str | None = None) -> Headers:
    """Return the CloudEvents headers that a row's fields hold."""
    return headers_of(
        id=row.id,
        type=row.type,
        source=SOURCE,
        time=format_time(row.time),
        subject=row.subject,
        sequence=row.sequence,
        correlationid=row.correlationid,
        causationid=row.causationid,
        traceparent=row.traceparent,
        tracestate=tracestate,
        authtype=row.authtype,
        authid=row.authid,
    )


def outbox_columns(rows: Iterable[OutboxRow]) -> Columns:
    """Return the parameters of `INSERT_OUTBOX`."""
    return encoded(rows, COLUMNS)


def pack_headers(pairs: Iterable[tuple[str, bytes | None]]) -> bytes:
    """Return name and value of each header as JSON; a value is in base64, None becomes null."""
    return json.dumps([[name, None if value is None else b64encode(value).decode()] for name, value in pairs]).encode()


def unpack_headers(packed: bytes) -> list[tuple[str, bytes | None]]:
    """Return the headers that `pack_headers` has packed."""
    return [(name, None if value is None else b64decode(value)) for name, value in json.loads(packed)]


class Destination(NamedTuple):
    """A partition of a topic that records are sent to. One can fail while the others work."""

    topic: str
    partition: int


class RowName(NamedTuple):
    """Names a row. The position alone is not enough: after a failover another row may have it."""

    position: int
    id: str


class Record(NamedTuple):
    """A row of the outbox, ready to be sent.

    `note`: the row's topic and aggregate; records with the same `note` keep their order. `blocked`: another row of the
    note is parked.
    """

    position: int
    id: str
    note: tuple[str, str]
    topic: str
    partition: int
    key: bytes | None
    value: bytes | None
    headers: tuple[tuple[str, bytes | None], ...]
    blocked: bool = False

    @property
    def name(self) -> RowName:
        """Return the name of its row."""
        return RowName(self.position, self.id)

    @property
    def destination(self) -> Destination:
        """Return the partition that it is sent to."""
        return Destination(self.topic, self.partition)

    @property
    def size(self) -> int:
        """Return the bytes that the broker counts, rounded up, with the lengths and the batch's header."""
        size = 100 + len(self.key or b"") + len(self.value or b"")
        for name, value in self.headers:  # a plain loop: `sum` of a generator takes twice as long, for every row
            size += (len(name) if name.isascii() else len(name.encode(errors="surrogatepass"))) + len(value or b"") + 10
        return size


class Found(NamedTuple):
    """The first rows of the outbox, in order.

    `whole`: there were no more. `proven`: the position up to which the low-water mark was proven before the read.
    """

    records: list[Record]
    whole: bool
    proven: int


class Waiting(NamedTuple):
    """The rows for one destination. `oldest_s`: the age in seconds of the oldest that is to be sent."""

    destination: Destination
    rows: int
    parked: int
    oldest_s: float


def named(rows: Sequence[RowName]) -> Columns:
    """Return the positions and the ids of the rows as parameters."""
    return numbers([row.position for row in rows]), [row.id for row in rows]


def record_of(position: int, row: OutboxRow, *, blocked: bool = False) -> Record:
    """Return the record of the row at this position. `blocked`: another row of its note is parked."""
    if row.headers is not None:  # a dead letter: key and headers are those of the original record
        key, headers = row.key, tuple(unpack_headers(row.headers))
    else:
        key, headers = row.aggregateid.encode(), row_headers(row)
    note = row.topic, row.aggregateid
    return Record(position, row.id, note, row.topic, row.shard, key, row.payload, headers, blocked)
