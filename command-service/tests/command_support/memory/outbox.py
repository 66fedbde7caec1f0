"""The in-memory twin of PostgresOutbox."""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from uuid import uuid4

from command_support.memory.database import NEVER, Lease, MemoryDatabase, StoredRow

from notes_command.outbox.row import Destination, Record, record_of
from notes_command.outbox.store import NOTHING, OCTETS, Waiting


@dataclass(frozen=True, slots=True)
class MemoryOutbox:
    """`owner` stands for one process's relay."""

    database: MemoryDatabase
    lease_s: float = 3.0
    owner: str = field(default_factory=lambda: str(uuid4()))

    async def lease(self) -> frozenset[int]:
        """Take or renew what is free or ours."""
        now, leases = self.database.clock(), self.database.leases
        ours = [shard for shard, lease in leases.items() if lease.owner == self.owner or lease.until < now]
        leases.update((shard, Lease(self.owner, now + self.lease_s)) for shard in ours)
        return frozenset(ours)

    @property
    def proven(self) -> int:
        """Return how far it was proven that nothing more comes: nowhere, if no test says so."""
        return self.database.proven

    @property
    def mark_due(self) -> bool:
        """Return whether `raise_mark` has something to do: never."""
        return False

    def begin_anew(self) -> None:
        """Forget what was proven."""
        self.database.proven = 0

    async def raise_mark(self) -> None:
        """Do nothing: what is gone costs nothing here."""

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
        octets: int = OCTETS,
        waiting: range = NOTHING,
    ) -> list[Record]:
        """Return the first rows, in order."""
        wanted = set(shards)
        return self._first(lambda to: to.partition in wanted and to not in aside, limit, octets, waiting)

    async def read_of(self, destination: Destination, limit: int, *, octets: int = OCTETS) -> list[Record]:
        """Return the first rows of one destination."""
        return self._first(destination.__eq__, limit, octets)

    def _first(
        self, wanted: Callable[[Destination], bool], limit: int, octets: int, waiting: range = NOTHING
    ) -> list[Record]:
        rows = sorted(self.database.outbox.items())
        stuck = {(one.row.topic, one.row.aggregateid) for _, one in rows if one.parked is not None}
        found: list[Record] = []
        for at, one in rows:
            if one.parked is not None or at in waiting or not wanted(Destination(one.row.topic, one.row.shard)):
                continue
            if len(found) == limit or octets <= 0:
                break
            found.append(record_of(at, one.row)._replace(blocked=(one.row.topic, one.row.aggregateid) in stuck))
            octets -= len(one.row.payload or b"") + len(one.row.headers or b"")
        return found

    async def delete(self, positions: Sequence[int]) -> None:
        """Remove rows."""
        for position in positions:
            self.database.outbox.pop(position, None)

    async def park(self, positions: Sequence[int], reason: str) -> None:
        """Put rows aside."""
        for position in positions:
            if stored := self.database.outbox.get(position):
                stored.parked = reason

    async def park_behind(self, positions: Sequence[int], reason: str) -> None:
        """Put rows aside that have an earlier one of their note parked."""
        stuck: dict[tuple[str, str], int] = {}
        for at, one in sorted(self.database.outbox.items()):
            note = (one.row.topic, one.row.aggregateid)
            if at in positions and stuck.get(note, at) < at:
                one.parked = reason
            if one.parked is not None:
                stuck.setdefault(note, at)

    async def backlog(self) -> list[Waiting]:
        """Return what there is for each destination."""
        found = defaultdict(list)
        for stored in self.database.outbox.values():
            found[Destination(stored.row.topic, stored.row.shard)].append(stored)
        return [_waiting(to, rows, self.database.clock()) for to, rows in found.items()]


def _waiting(destination: Destination, rows: Sequence[StoredRow], now: float) -> Waiting:
    times = [one.stored_at for one in rows if one.parked is None]
    return Waiting(destination, len(times), len(rows) - len(times), now - min(times) if times else 0.0)
