"""The in-memory twin of PostgresOutbox."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from command_support.memory.database import NEVER, Lease, MemoryDatabase, StoredRow

from notes_command.outbox.low_water_mark import LowWaterMark
from notes_command.outbox.row import Destination, Found, Record, RowName, Waiting, record_of
from notes_command.outbox.store import MAX_BYTES, NO_POSITIONS


@dataclass(frozen=True, slots=True)
class MemoryOutbox:
    """`owner` stands for one process's relay."""

    database: MemoryDatabase
    lease_s: float = 3.0
    owner: str = field(default_factory=lambda: str(uuid4()))
    mark: LowWaterMark = field(default_factory=lambda: LowWaterMark(_checked_at=float("inf")))
    """Never due: what is gone costs nothing here. A test says how far it was proven that nothing more comes."""

    async def lease(self) -> frozenset[int]:
        """Take or renew what is free or ours."""
        now, leases = self.database.clock(), self.database.leases
        ours = [shard for shard, lease in leases.items() if lease.owner == self.owner or lease.until < now]
        leases.update((shard, Lease(self.owner, now + self.lease_s)) for shard in ours)
        return frozenset(ours)

    async def raise_mark(self) -> None:
        """Do nothing."""

    async def release(self) -> None:
        """Give back what is ours."""
        for lease in self.database.leases.values():
            if lease.owner == self.owner:
                lease.until = NEVER

    async def read(
        self,
        shards: Iterable[int],
        limit: int,
        *,
        aside: Collection[Destination] = (),
        max_bytes: int = MAX_BYTES,
        waiting: range = NO_POSITIONS,
    ) -> Found:
        """Return the first rows, in order."""
        own = {Destination(one.row.topic, one.row.shard) for one in self.database.outbox.values()} - set(aside)
        wanted = {destination for destination in own if destination.partition in set(shards)}
        records, some = (self._first(wanted.__contains__, limit, most, waiting) for most in (max_bytes, 2**63))
        return Found(records, whole=len(records) == len(some) < limit, proven=self.mark.proven)

    async def read_of(self, destination: Destination, limit: int, *, max_bytes: int = MAX_BYTES) -> list[Record]:
        """Return the first rows of one destination."""
        return self._first(destination.__eq__, limit, max_bytes)

    def _first(
        self, wanted: Callable[[Destination], bool], limit: int, max_bytes: int, waiting: range = NO_POSITIONS
    ) -> list[Record]:
        rows = sorted(self.database.outbox.items())
        stuck = {(one.row.topic, one.row.aggregateid) for _, one in rows if one.parked is not None}
        found: list[Record] = []
        for at, one in rows:
            if one.parked is not None or at in waiting or not wanted(Destination(one.row.topic, one.row.shard)):
                continue
            if len(found) == limit or max_bytes <= 0:
                break
            found.append(record_of(at, one.row)._replace(blocked=(one.row.topic, one.row.aggregateid) in stuck))
            max_bytes -= len(one.row.payload or b"") + len(one.row.headers or b"")
        return found

    async def delete(self, rows: Sequence[RowName]) -> None:
        """Remove rows."""
        for position in self._there(rows):
            del self.database.outbox[position]

    async def park(self, rows: Sequence[RowName], reason: str) -> None:
        """Put rows aside."""
        for position in self._there(rows):
            self.database.outbox[position].parked = reason

    def _there(self, rows: Sequence[RowName]) -> list[int]:
        outbox = self.database.outbox
        return [position for position, id_ in rows if position in outbox and outbox[position].row.id == id_]

    async def park_behind(self, rows: Sequence[RowName], reason: str) -> None:
        """Put rows aside that have an earlier one of their note parked."""
        stuck: dict[tuple[str, str], int] = {}
        positions = self._there(rows)
        for at, one in sorted(self.database.outbox.items()):
            note = (one.row.topic, one.row.aggregateid)
            if at in positions and stuck.get(note, at) < at:
                one.parked = reason
            if one.parked is not None:
                stuck.setdefault(note, at)

    async def backlog(self, *, whole: bool = False) -> list[Waiting]:  # noqa: ARG002 - it always is
        """Return what there is for each destination."""
        found = defaultdict(list)
        for stored in self.database.outbox.values():
            found[Destination(stored.row.topic, stored.row.shard)].append(stored)
        return [_waiting(to, rows, self.database.clock()) for to, rows in found.items()]


def _waiting(destination: Destination, rows: Sequence[StoredRow], now: float) -> Waiting:
    times = [one.stored_at for one in rows if one.parked is None]
    return Waiting(destination, len(times), len(rows) - len(times), now - min(times) if times else 0.0)
