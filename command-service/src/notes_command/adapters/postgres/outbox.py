"""The outbox as the relay sees it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.adapters.headers import unpack_headers
from notes_command.adapters.messages import SOURCE
from notes_command.adapters.postgres.errors import translated
from notes_command.application.relay_ports import Record
from notes_contracts import format_time, headers_of

LEASE_S: Final = 3.0
"""Seconds a lease lasts: how long events wait when their relay was killed."""

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
# Reads what is present, never what is above a mark: positions become visible in commit order, not in their own.
_READ: Final = """
SELECT position, id::text, aggregateid, type, payload, topic, shard, time, subject, sequence, correlationid,
       causationid, traceparent, key, headers
FROM outbox WHERE parked_at IS NULL AND shard = ANY($1::smallint[]) ORDER BY position LIMIT $2
"""
_DELETE: Final = "DELETE FROM outbox WHERE position = ANY($1::bigint[])"
_PARK: Final = """
UPDATE outbox SET parked_at = clock_timestamp(), parked_because = $2 WHERE position = ANY($1::bigint[])
"""
_PARKED: Final = "SELECT DISTINCT topic, aggregateid FROM outbox WHERE parked_at IS NOT NULL"
_BACKLOG: Final = """
SELECT count(*) FILTER (WHERE parked_at IS NULL), count(*) FILTER (WHERE parked_at IS NOT NULL),
       coalesce(extract(epoch FROM clock_timestamp() - min(stored_at) FILTER (WHERE parked_at IS NULL)), 0)::float8
FROM outbox
"""


@dataclass(frozen=True, slots=True)
class PostgresOutbox:
    """Implements the port Outbox. `owner` stands for this process's relay."""

    engine: AsyncEngine
    owner: str = field(default_factory=lambda: str(uuid4()))

    async def lease(self) -> frozenset[int]:
        """Take or renew what is free or ours."""
        rows = await self._run(_LEASE, (self.owner, LEASE_S))
        return frozenset(row[0] for row in rows)

    async def release(self) -> None:
        """Give back what is ours."""
        await self._change(_RELEASE, (self.owner,))

    async def read(self, shards: Iterable[int], limit: int) -> list[Record]:
        """Return the first rows, in order."""
        return [_record(row) for row in await self._run(_READ, (list(shards), limit))]

    async def delete(self, positions: Sequence[int]) -> None:
        """Remove rows."""
        await self._change(_DELETE, (list(positions),))

    async def park(self, positions: Sequence[int], reason: str) -> None:
        """Put rows aside."""
        await self._change(_PARK, (list(positions), reason))

    async def parked(self) -> frozenset[tuple[str, str]]:
        """Return what has parked rows."""
        return frozenset((row[0], row[1]) for row in await self._run(_PARKED, ()))

    async def backlog(self) -> tuple[int, int, float]:
        """Return the rows to send, the rows parked, and the age of the oldest to send, in seconds."""
        (row,) = await self._run(_BACKLOG, ())
        return row[0], row[1], row[2]

    async def _run(self, statement: str, parameters: tuple[Any, ...]) -> Sequence[Any]:
        with translated():
            async with self.engine.begin() as connection:
                return (await connection.exec_driver_sql(statement, parameters)).all()

    async def _change(self, statement: str, parameters: tuple[Any, ...]) -> None:
        with translated():
            async with self.engine.begin() as connection:
                await connection.exec_driver_sql(statement, parameters)


def _record(row: Sequence[Any]) -> Record:
    (position, id_, aggregateid, type_, payload, topic, shard, time, subject, sequence, correlationid) = row[:11]
    (causationid, traceparent, key, headers) = row[11:]
    if headers is not None:  # a dead letter: key and headers are those of the record that it was
        packed = tuple(unpack_headers(headers))
        return Record(position, (topic, aggregateid), topic, shard, key, payload, packed)
    attributes = headers_of(
        id=id_,
        type=type_,
        source=SOURCE,
        time=format_time(time),
        subject=subject,
        sequence=sequence,
        correlationid=correlationid,
        causationid=causationid,
        traceparent=traceparent,
    )
    return Record(position, (topic, aggregateid), topic, shard, aggregateid.encode(), payload, attributes)
