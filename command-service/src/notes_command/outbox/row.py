"""A row of the outbox: what is written here is what Kafka gets, byte for byte."""

import json
from base64 import b64decode, b64encode
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Final, NamedTuple

from notes_command.columns import Columns, encoded, ids, numbers, texts, times, words
from notes_command.signals import CHANNEL
from notes_contracts import format_time, headers_of
from notes_contracts.cloudevents import Headers

SOURCE: Final = "/notes/command-service"

INSERT_ROWS: Final = """
INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, topic, shard, time, subject, sequence,
                    correlationid, causationid, traceparent, key, headers, authtype, authid)
SELECT * FROM unnest($1::text::uuid[], $2::text::text[], $3::text::text[], $4::text::text[], $5::bytea[],
                     $6::text::text[], $7::text::smallint[], $8::text::timestamptz[], $9::text::text[],
                     $10::text::int[], $11::text[], $12::text::text[], $13::text[], $14::bytea[], $15::bytea[],
                     $16::text[], $17::text[])
"""
# Announced in the same statement, which saves a round trip; listeners hear of it once the transaction commits.
INSERT_OUTBOX: Final = f"WITH stored AS ({INSERT_ROWS}) SELECT pg_notify('{CHANNEL}', '')"
_OUTBOX: Final = (ids, words, ids, words, texts, words, numbers, times, ids, numbers, texts, ids, *[texts] * 5)


class OutboxRow(NamedTuple):
    """A record to be sent. The names of the first five are those that Debezium's outbox event router expects.

    `shard` is the record's Kafka partition. `headers` is None where the CloudEvents attributes in the columns say
    all; a dead letter, or a record with `tracestate`, brings its own, packed. `key` likewise: None means `aggregateid`.
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


def row_headers(row: OutboxRow, tracestate: str | None = None) -> Headers:
    """Return the CloudEvents headers that a row's columns stand for."""
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
    return encoded(rows, _OUTBOX)


def pack_headers(pairs: Iterable[tuple[str, bytes | None]]) -> bytes:
    """Return the pairs as JSON with values in base64; None becomes null."""
    return json.dumps([[name, None if value is None else b64encode(value).decode()] for name, value in pairs]).encode()


def unpack_headers(packed: bytes) -> list[tuple[str, bytes | None]]:
    """Return what `pack_headers` was given."""
    return [(name, None if value is None else b64decode(value)) for name, value in json.loads(packed)]


class Destination(NamedTuple):
    """Where records go, each of which can fail on its own."""

    topic: str
    partition: int


class RowName(NamedTuple):
    """Which row. The position alone is not enough: after a failover another row may have it."""

    position: int
    id: str


class Record(NamedTuple):
    """A row of the outbox, ready to be sent.

    `note` is what order is kept by: the row's topic and aggregate. `blocked`: another row of the note is parked.
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
        """Return which row it is of."""
        return RowName(self.position, self.id)

    @property
    def destination(self) -> Destination:
        """Return where it goes."""
        return Destination(self.topic, self.partition)

    @property
    def size(self) -> int:
        """Bytes as the broker counts them, rounded up: lengths and the batch's header included."""
        size = 100 + len(self.key or b"") + len(self.value or b"")
        for name, value in self.headers:  # a plain loop: `sum` of a generator takes twice as long, for every row
            size += (len(name) if name.isascii() else len(name.encode(errors="surrogatepass"))) + len(value or b"") + 10
        return size


class Found(NamedTuple):
    """The first rows that are there, in order. `whole`: all of them. `proven`: how far the mark was proven before."""

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
    """Return the parameters that say which rows."""
    return numbers([row.position for row in rows]), ids([row.id for row in rows])


def record_of(position: int, row: OutboxRow, *, blocked: bool = False) -> Record:
    """Return the record that a row at this position becomes. `blocked`: another row of its note is parked."""
    if row.headers is not None:  # a dead letter: key and headers are those of the record that it was
        key, headers = row.key, tuple(unpack_headers(row.headers))
    else:
        key, headers = row.aggregateid.encode(), row_headers(row)
    note = row.topic, row.aggregateid
    return Record(position, row.id, note, row.topic, row.shard, key, row.payload, headers, blocked)
