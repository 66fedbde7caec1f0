"""Hands just committed rows to the relay in memory, without a read, where no earlier row can have to be sent first.

A relay reads the outbox because there may be earlier rows of a note: those of another instance, of a snapshot, rows
that a person unparked, or its own that did not arrive. The positions prove when there are none:

1. The sequence gives positions one after the other to whoever inserts (CACHE 1). If the positions of our batch are
   consecutive and follow those of our batch before, then nobody else has got a position in between. Such batches are a
   run.
2. The low-water mark proves a position (low_water_mark.py) up to which every row that will ever be there was visible
   at that time. A relay that has read all rows of its shards since then has seen all of them.
3. So if that proof reaches the beginning of our run, the relay has seen everything up to the end of the run. It may
   send the next rows of the run behind that.

The proof is lost with: a position of somebody else, another connection (it may be to another server), a row that is
parked, a destination that does not take its records, other leases, a read that left something out. Then the relay reads
until there is a new proof. Independently of that it polls the table twice a second.

A relay that is behind reads the first rows again and again. The rows that are committed meanwhile go on waiting here.
The relay takes them once it has read up to them. So it need not be faster than the pipeline to catch up.
"""

import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from notes_command.outbox.row import Found, OutboxRow, Record, record_of

MAX_BYTES: Final = 8 * 1024 * 1024
"""Bytes of rows that wait here, at most. The relay reads the others."""
ROW_BYTES: Final = 2000
"""Bytes of memory that a row and its record take beside the payload."""
_NO_POSITION: Final = -1


class _Commit(NamedTuple):
    """The rows of a commit, and their first and last position. `size`: bytes. `offered_at`: by the monotonic clock."""

    first: int
    last: int
    rows: Sequence[OutboxRow]
    size: int
    offered_at: float


@dataclass(slots=True)
class Handover:
    """Stands between a pipeline, which offers rows, and a relay, which takes or reads them. Does no I/O."""

    oldest: float = 0.0
    """When the first of the rows that were taken last was offered, by the monotonic clock."""
    _start: int = 2**63
    """The first position of our run. Before the first offer no position is as high."""
    _next: int = _NO_POSITION
    """The position after the last one of our run."""
    _seen_up_to: int = _NO_POSITION
    """The relay has seen every row of its shards up to this position that will ever be there."""
    _already_read: frozenset[int] = frozenset()
    """Positions above `_seen_up_to` that the last read has brought already."""
    _connections: int = -1
    _server_changed: bool = False
    _waiting: deque[_Commit] = field(default_factory=deque)
    """The last commits of our run, with no gap."""
    _waiting_bytes: int = 0
    _read_required: bool = True
    """The outbox has rows that do not wait here."""
    _next_at_read: int = 0
    """`_next` when the relay began to read."""

    def offer(self, connections: int, first: int, last: int, rows: Sequence[OutboxRow], *, parked: bool) -> None:
        """Offer the rows of a commit in their order.

        `connections`: how many this process has made to PostgreSQL by now. `parked`: the outbox has parked rows.
        """
        if connections != self._connections or first < self._next:
            self._connections = connections
            self._server_changed = True
            self._next = _NO_POSITION
            self.invalidate()
        if last - first + 1 != len(rows):  # somebody else has a position among ours
            self._begin_run(last + 1)
            return
        if first != self._next:
            self._begin_run(first)
        self._next = last + 1
        size = sum([len(row.payload or b"") + ROW_BYTES for row in rows])
        self._waiting_bytes += size
        if parked or self._waiting_bytes > MAX_BYTES:
            self.require_read()
        else:
            self._waiting.append(_Commit(first, last, rows, size, time.monotonic()))

    def require_read(self) -> None:
        """Have the relay read: rows were stored that are not offered, or that cannot wait here."""
        self._read_required = True
        self._forget_waiting()

    def invalidate(self) -> None:
        """Forget what the relay has seen: those rows did not arrive, or another relay may have to send them now."""
        self._seen_up_to = _NO_POSITION
        self.require_read()

    def take_server_change(self) -> bool:
        """Return whether the server may be another one since the last call. No proof of before holds for it."""
        changed = self._server_changed
        self._server_changed = False
        return changed

    @property
    def waiting(self) -> range | None:
        """The positions that wait here, if the relay has seen all before them; None if the relay has to read."""
        begin = self._waiting[0].first if self._waiting else max(self._start, self._next)
        if self._read_required or self._seen_up_to < begin - 1:
            return None
        return range(self._seen_up_to + 1, self._next)

    def take(self, shards: Collection[int]) -> list[Record] | None:
        """Return the records that wait for these shards, and count them as seen. None: the relay has to read."""
        if self.waiting is None:
            return None
        seen_up_to, already_read = self._seen_up_to, self._already_read
        records = [
            record_of(position, row)
            for commit in self._waiting
            for position, row in enumerate(commit.rows, commit.first)
            if row.shard in shards and position > seen_up_to and position not in already_read
        ]
        if self._waiting:
            self.oldest = self._waiting[0].offered_at
        self._forget_waiting()
        self._seen_up_to = self._next - 1
        return records

    def begin_read(self) -> None:
        """Note that the relay begins to read. The read returns everything committed by now, if it returns all rows."""
        self._read_required = False
        self._next_at_read = self._next

    def end_read(self, found: Found) -> None:
        """Note what the relay has read of all shards and destinations. That is void if the server may have changed."""
        if self._server_changed:
            self.invalidate()
            return
        records, whole, proven = found
        all_before_our_run_seen = max(self._seen_up_to, proven) >= self._start - 1
        reached = proven
        if all_before_our_run_seen:  # step 3 above: then our run up to the begin of the read is seen, too
            reached = max(self._next_at_read - 1, proven)
        if not whole:  # the read ends somewhere, and shows nothing behind its last row
            reached = min(reached, records[-1].position if records else _NO_POSITION)
        self._seen_up_to = max(self._seen_up_to, reached)
        self._already_read = frozenset([record.position for record in records if record.position > self._seen_up_to])
        while self._waiting and self._waiting[0].last <= self._seen_up_to:
            self._waiting_bytes -= self._waiting.popleft().size

    def _begin_run(self, position: int) -> None:
        self._start = self._next = position
        self.require_read()

    def _forget_waiting(self) -> None:
        self._waiting.clear()
        self._waiting_bytes = 0
        self._already_read = frozenset()
