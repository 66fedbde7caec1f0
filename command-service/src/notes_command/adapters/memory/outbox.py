"""The in-memory twin of PostgresOutbox."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from notes_command.adapters.headers import unpack_headers
from notes_command.adapters.memory.database import NEVER, Lease, MemoryDatabase
from notes_command.adapters.messages import SOURCE, OutboxRow
from notes_command.application.relay_ports import Record
from notes_contracts import format_time, headers_of


@dataclass(frozen=True, slots=True)
class MemoryOutbox:
    """Implements the port Outbox. `owner` stands for one process's relay."""

    database: MemoryDatabase
    lease_s: float = 3.0
    owner: str = field(default_factory=lambda: str(uuid4()))

    async def lease(self) -> frozenset[int]:
        """Take or renew what is free or ours."""
        now, leases = self.database.clock(), self.database.leases
        ours = [shard for shard, lease in leases.items() if lease.owner == self.owner or lease.until < now]
        leases.update((shard, Lease(self.owner, now + self.lease_s)) for shard in ours)
        return frozenset(ours)

    async def release(self) -> None:
        """Give back what is ours."""
        for lease in self.database.leases.values():
            if lease.owner == self.owner:
                lease.until = NEVER

    async def read(self, shards: Iterable[int], limit: int) -> list[Record]:
        """Return the first rows, in order."""
        wanted = set(shards)
        rows = sorted(self.database.outbox.items())
        stuck = {(one.row.topic, one.row.aggregateid) for _, one in rows if one.parked is not None}
        there = (_record(at, one.row, stuck) for at, one in rows if one.parked is None and one.row.shard in wanted)
        return [record for record, _ in zip(there, range(limit), strict=False)]

    async def delete(self, positions: Sequence[int]) -> None:
        """Remove rows."""
        for position in positions:
            self.database.outbox.pop(position, None)

    async def park(self, positions: Sequence[int], reason: str) -> None:
        """Put rows aside."""
        for position in positions:
            if stored := self.database.outbox.get(position):
                stored.parked = reason

    async def backlog(self) -> tuple[int, int, float]:
        """Return the rows to send, the rows parked, and the age of the oldest to send, in seconds."""
        times = [stored.stored_at for stored in self.database.outbox.values() if stored.parked is None]
        age = self.database.clock() - min(times) if times else 0.0
        return len(times), len(self.database.outbox) - len(times), age


def _record(position: int, row: OutboxRow, stuck: set[tuple[str, str]]) -> Record:
    note = (row.topic, row.aggregateid)
    blocked = note in stuck
    if row.headers is not None:  # a dead letter: key and headers are those of the record that it was
        packed = tuple(unpack_headers(row.headers))
        return Record(position, note, row.topic, row.shard, row.key, row.payload, packed, blocked=blocked)
    attributes = headers_of(
        id=row.id,
        type=row.type,
        source=SOURCE,
        time=format_time(row.time),
        subject=row.subject,
        sequence=row.sequence,
        correlationid=row.correlationid,
        causationid=row.causationid,
        traceparent=row.traceparent,
    )
    key = row.aggregateid.encode()
    return Record(position, note, row.topic, row.shard, key, row.payload, attributes, blocked=blocked)
