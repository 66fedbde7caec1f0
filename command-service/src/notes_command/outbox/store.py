"""The outbox as the relay sees it."""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

import asyncpg
import structlog
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.outbox.low_water_mark import LowWaterMark, pairs
from notes_command.outbox.row import Destination, Found, OutboxRow, Record, RowName, Waiting, named, record_of
from notes_command.postgres import borrowed, once_more, repeatable, translated, trust_of
from notes_contracts import format_time
from notes_contracts.times import Timestamp

log = structlog.get_logger()

MAX_BYTES: Final = 8 * 1024 * 1024
"""Bytes of rows that are read at once. A single row may be larger."""
NO_POSITIONS: Final = range(0)
LEASE_S: Final = 2.0
"""Seconds a lease lasts: how long events wait after their relay was killed."""

# SKIP LOCKED: two instances that lease at once must not wait for each other.
_LEASE: Final = """
WITH free AS (
    SELECT shard FROM relay_leases WHERE owner = $1::uuid OR until < clock_timestamp()
    ORDER BY shard FOR UPDATE SKIP LOCKED
)
UPDATE relay_leases SET owner = $1::uuid, until = clock_timestamp() + $2 * interval '1 second'
FROM free WHERE relay_leases.shard = free.shard RETURNING relay_leases.shard
"""
_RELEASE: Final = "UPDATE relay_leases SET until = '-infinity' WHERE owner = $1::uuid"
# A row is parked while it has a reason. An unparked row keeps its `parked_at`, for _READ.
_PARKED: Final = "parked_at IS NOT NULL AND parked_because IS NOT NULL"
_COLUMNS: Final = """
position, id::text, aggregateid, type, payload, topic, shard, time, subject, sequence, correlationid, causationid,
traceparent, key, headers, authtype, authid
"""
# Reads all rows that are present, not those above the last one sent: positions become visible in the order of commits,
# not in their own. The low-water mark is safe, since no row can appear below it (low_water_mark.py). Unparked rows lie
# below the mark and have a small index of their own. Everything is read in one snapshot, so that no row is read whose
# note has an earlier row that was parked, or unparked, a moment before.
# `octet_length` does not fetch a large payload, and rows beyond the limit of bytes are cut off before any is fetched.
_READ: Final = f"""
WITH present AS (
    (SELECT * FROM outbox WHERE parked_at IS NULL AND position >= $3 AND position NOT BETWEEN $5 AND $6
     AND shard = ANY($1::smallint[]) AND {{which}} ORDER BY position LIMIT $2)
    UNION ALL
    (SELECT * FROM outbox WHERE parked_at IS NOT NULL AND parked_because IS NULL AND shard = ANY($1::smallint[])
     AND {{which}} ORDER BY position LIMIT $2)
), first AS (
    SELECT *, sum(octets) OVER all_of_them - octets AS before, lead(position) OVER all_of_them IS NULL AS last
    FROM (SELECT *, coalesce(octet_length(payload), 0) + coalesce(octet_length(headers), 0) AS octets
          FROM present ORDER BY position LIMIT $2) AS measured
    WINDOW all_of_them AS (ORDER BY position)
)
SELECT {_COLUMNS}, EXISTS (
    SELECT FROM outbox AS parked WHERE {_PARKED}
    AND parked.topic = first.topic AND parked.aggregateid = first.aggregateid
), last FROM first WHERE before < $4 ORDER BY position
"""  # noqa: S608 - constants
_READ_ALL: Final = _READ.format(which="(topic, shard) NOT IN (SELECT * FROM unnest($7::text[], $8::smallint[]))")
_READ_ONE: Final = _READ.format(which="topic = $7")
# By id as well: after a failover another row may have the position that Kafka has acknowledged. OFFSET makes the
# planner look up each row by itself instead of joining.
_THESE: Final = """
ctid = ANY(ARRAY(
    SELECT found.ctid FROM unnest($1::text::bigint[], $2::uuid[]) AS these (position, id)
    CROSS JOIN LATERAL (SELECT ctid FROM outbox WHERE position = these.position AND id = these.id OFFSET 0) AS found
))
"""
_DELETE: Final = f"DELETE FROM outbox WHERE {_THESE}"  # noqa: S608 - constants
_PARK: Final = f"""
UPDATE outbox SET parked_at = clock_timestamp(), parked_because = $3 WHERE {_THESE}
"""  # noqa: S608 - constants
# Only while an earlier row is still parked: since the read it may have been unparked or dropped.
_PARK_BEHIND: Final = f"""
{_PARK} AND EXISTS (
    SELECT FROM outbox AS parked WHERE {_PARKED}
    AND parked.topic = outbox.topic AND parked.aggregateid = outbox.aggregateid AND parked.position < outbox.position
)
"""
_PARKED_ROWS: Final = f"""
SELECT position, topic, aggregateid, type, parked_at, parked_because AS reason
FROM outbox WHERE {_PARKED} ORDER BY position LIMIT $1
"""  # noqa: S608 - constants
_UNPARK: Final = f"""
UPDATE outbox SET parked_because = NULL WHERE {_PARKED} AND aggregateid = $1 RETURNING position, id::text
"""  # noqa: S608 - constants
_DROP: Final = f"DELETE FROM outbox WHERE {_PARKED} AND aggregateid = $1 RETURNING position"  # noqa: S608
DROP_SUPERSEDED: Final = f"DELETE FROM outbox WHERE {_PARKED} AND topic = $1 AND aggregateid = ANY($2::text[])"  # noqa: S608
LOCK_PARKED: Final = "SELECT pg_advisory_xact_lock(hashtext('notes: parked outbox rows'))"
"""Taken to park rows behind others, to unpark and to drop: each must see what the others have done."""
_STATES: Final = f"SELECT position, parked_because FROM outbox WHERE {_THESE}"  # noqa: S608 - constants
_BACKLOG: Final = """
SELECT topic, shard, count(*) FILTER (WHERE parked_because IS NULL),
       count(*) FILTER (WHERE parked_because IS NOT NULL),
       coalesce(extract(epoch FROM clock_timestamp() - min(since) FILTER (WHERE parked_because IS NULL)), 0)::float8,
       min(begin) AS begin
FROM (
    SELECT topic, shard, stored_at AS since, parked_because, position AS begin FROM outbox
    WHERE parked_at IS NULL AND position >= $1
    UNION ALL
    SELECT topic, shard, stored_at, parked_because, NULL FROM outbox WHERE parked_at IS NOT NULL
) AS present GROUP BY topic, shard
"""


class ParkedRow(BaseModel):
    """A record that Kafka refused, or that waits behind one."""

    position: int
    topic: str
    aggregateid: str
    type: str
    parked_at: Timestamp
    reason: str


@dataclass(frozen=True, slots=True)
class PostgresOutbox:
    """The rows to send, in PostgreSQL. Methods raise StoreError. `owner`: holds the leases of this process's relay."""

    engine: AsyncEngine
    owner: str = field(default_factory=lambda: str(uuid4()))
    mark: LowWaterMark = field(default_factory=LowWaterMark)

    async def lease(self) -> frozenset[int]:
        """Take or renew the lease of every shard that is free or ours. Return the shards that are ours now."""
        rows = await self._run(_LEASE, (self.owner, LEASE_S))
        return frozenset(row[0] for row in rows)

    async def release(self) -> None:
        """Give the leases back, so that another instance need not wait for their end."""
        await self._run(_RELEASE, (self.owner,))

    async def read(
        self,
        shards: Iterable[int],
        limit: int,
        *,
        aside: Collection[Destination] = (),
        max_bytes: int = MAX_BYTES,
        waiting: range = NO_POSITIONS,
    ) -> Found:
        """Return the first rows of those shards that are not parked, in order, as of one moment.

        At most `limit` rows, up to the one with which payloads and headers reach `max_bytes`. Rows for the destinations
        `aside` are left out, and so are the positions that are `waiting` in memory.
        """
        async with self._connected() as connection:
            self.mark.set_aside_only(aside)
            proven = self.mark.proven
            left_out = (waiting.start, waiting.stop - 1, *pairs(aside))
            rows = await connection.fetch(_READ_ALL, list(shards), limit, self.mark.position, max_bytes, *left_out)
        whole = not rows or (len(rows) < limit and rows[-1]["last"])
        return Found([_record(row) for row in rows], whole, proven)

    async def read_of(self, destination: Destination, limit: int, *, max_bytes: int = MAX_BYTES) -> list[Record]:
        """Return the first rows of a destination that the last `read` left out."""
        topic, shard = destination
        async with self._connected() as connection:
            begin = self.mark.aside.get(destination, 0)
            rows = await connection.fetch(_READ_ONE, [shard], limit, begin, max_bytes, 0, -1, topic)
        return [_record(row) for row in rows]

    async def delete(self, rows: Sequence[RowName]) -> None:
        """Remove rows that the broker has acknowledged."""
        await self._run(_DELETE, named(rows))
        self.mark.deleted()

    async def raise_mark(self) -> None:
        """Raise the low-water mark as far as can be proven by now, so that reads begin behind deleted rows."""
        await self.mark.advance(self._run)

    async def park(self, rows: Sequence[RowName], reason: str) -> None:
        """Park rows, so that the rows of other notes go on."""
        await self._run(_PARK, (*named(rows), reason))

    async def park_behind(self, rows: Sequence[RowName], reason: str) -> None:
        """Park those of the rows whose note has an earlier row that is parked at this moment."""
        await self._run_exclusively(_PARK_BEHIND, (*named(rows), reason))

    @repeatable
    async def backlog(self, *, whole: bool = False) -> list[Waiting]:
        """Return the rows that wait for each destination. `whole`: also below the mark, where none should be."""
        await self.raise_mark()
        async with self._connected() as connection:
            mark = self.mark.lowest
            rows = await connection.fetch(_BACKLOG, 0 if whole else mark)
        if any(row["begin"] is not None and row["begin"] < mark for row in rows):
            log.error("the low-water mark was wrong, reading all of the outbox", mark=mark)
            self.mark.forget()
        return [Waiting(Destination(row[0], row[1]), *row[2:5]) for row in rows]

    async def parked_rows(self, limit: int) -> list[ParkedRow]:
        """Return the first parked rows, in order."""
        rows = await self._run(_PARKED_ROWS, (limit,))
        return [ParkedRow(**{**row, "parked_at": format_time(row["parked_at"])}) for row in rows]

    async def unpark(self, aggregateid: str) -> list[RowName]:
        """Unpark all rows of a note at once, so that none overtakes another. Return them."""
        return [RowName(*row) for row in await self._run_exclusively(_UNPARK, (aggregateid,))]

    async def drop(self, aggregateid: str) -> int:
        """Delete a note's parked rows. Return how many there were."""
        return len(await self._run_exclusively(_DROP, (aggregateid,)))

    async def left(self, rows: Sequence[RowName]) -> dict[int, str | None]:
        """Return the positions of those rows that are still there, each with the reason why it is parked, or None."""
        return {row[0]: row[1] for row in await self._run(_STATES, named(rows))}

    @repeatable
    async def _run_exclusively(self, statement: str, parameters: tuple[Any, ...]) -> Sequence[Any]:
        async with self.engine.begin() as connection:
            await connection.exec_driver_sql(LOCK_PARKED)
            found = await connection.exec_driver_sql(statement, parameters)
            return list(found) if found.returns_rows else ()

    async def _run(self, statement: str, parameters: tuple[Any, ...]) -> Sequence[Any]:
        """Run a statement that may run twice, also on another server."""

        async def fetch() -> Sequence[Any]:
            async with self._connected() as connection:
                rows: Sequence[Any] = await connection.fetch(statement, *parameters)
                return rows

        return await once_more(self.engine, fetch)

    @asynccontextmanager
    async def _connected(self) -> "AsyncIterator[asyncpg.Connection[Any]]":
        """Give a connection in autocommit: a process that is stopped between BEGIN and COMMIT would keep its locks.

        The low-water mark holds for the server of this connection.
        """
        with translated():
            async with borrowed(self.engine) as connection:
                self.mark.under(trust_of(self.engine).made)
                yield connection


def _record(row: Sequence[Any]) -> Record:
    position, id_, *columns, blocked, _ = row
    return record_of(position, OutboxRow(id_, "", *columns), blocked=blocked)
