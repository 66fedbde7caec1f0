"""What was just committed goes to the relay in memory, without being read back, where nothing can have to go before it.

A relay reads the outbox because earlier rows of a note may be there: of another instance, of a snapshot, let go by a
person, or its own that did not arrive. Positions tell when there are none:

1. Positions are handed out one after the other, to whoever inserts (CACHE 1). If a batch's are consecutive and follow
   those of our batch before, then nobody else has got any in between. Such batches are a stretch.
2. Up to the position that the low-water mark has proven (low_water_mark.py), every row that will ever be there was
   visible when it was proven. A relay that has read all rows of its shards since has had all of them in hand.
3. So if that proof reaches the beginning of the stretch, everything up to its end has been in hand: what comes next of
   the stretch may be sent behind it.

Whatever breaks this ends the stretch: a position of somebody else, another connection (it may be another server), a row
that is parked, a destination that does not take its records, other leases, a read that left something out. Then the
relay reads until there is a new proof. Every half a second it looks for what does not wait here, in any case.

A relay that is behind reads the first rows that are there, again and again. What is committed meanwhile goes on waiting
here, and is taken once the relay has read up to it: so it need not catch up with a pipeline that is as fast.
"""

import time
from collections import deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from notes_command.outbox.row import Found, OutboxRow, Record, record_of

OCTETS: Final = 8 * 1024 * 1024
"""Bytes that wait here, at most; what is beyond is read."""
ROW: Final = 2000
"""What a row takes beside its payload, and the record that it becomes."""
_NOTHING: Final = -1


class _Commit(NamedTuple):
    """Its rows, from position `first` on, and when they were offered."""

    first: int
    rows: Sequence[OutboxRow]
    octets: int
    at: float


@dataclass(slots=True)
class Handover:
    """Between one pipeline, which offers, and one relay, which takes or reads. Pure bookkeeping."""

    _start: int = 2**63
    _next: int = _NOTHING
    """Our stretch: its first position, and the one after its last. Before the first offer it begins at no position."""
    _known: int = _NOTHING
    """Every row of our shards up to here has been in the relay's hand, or never will be there."""
    _seen: frozenset[int] = frozenset()
    """Those above, of which the last read has brought some already."""
    _connections: int = _NOTHING
    _moved: bool = False
    _waiting: deque[_Commit] = field(default_factory=deque)
    """The last ones of our stretch, none left out."""
    _octets: int = 0
    oldest: float = 0.0
    """When the first of what was taken last was offered, by the monotonic clock."""
    _missed: bool = True
    """Something is in the outbox that does not wait here."""
    _read_at: int = 0

    def offer(self, connections: int, first: int, last: int, rows: Sequence[OutboxRow], *, parked: bool) -> None:
        """Offer the rows of a commit in their order.

        `connections`: how many this process has made to PostgreSQL by now. `parked`: some other row is parked.
        """
        if connections != self._connections or first < self._next:
            self._connections, self._moved, self._next = connections, True, _NOTHING
            self.lose()
        if last - first + 1 != len(rows):
            self._begin(last + 1)
            return
        if first != self._next:
            self._begin(first)
        self._next = last + 1
        octets = sum([len(row.payload or b"") + ROW for row in rows])
        self._octets += octets
        if parked or self._octets > OCTETS:
            self.miss()
        else:
            self._waiting.append(_Commit(first, rows, octets, time.monotonic()))

    def miss(self) -> None:
        """Have the relay read: something was stored that is not offered, or cannot wait here."""
        self._missed = True
        self._forget_waiting()

    def lose(self) -> None:
        """Begin anew: rows that were in the relay's hand did not arrive, or may be others' now."""
        self._known = _NOTHING
        self.miss()

    def moved(self) -> bool:
        """Return once whether it may be another server: what was proven before says nothing of that one."""
        moved, self._moved = self._moved, False
        return moved

    @property
    def waiting(self) -> range | None:
        """The positions that wait here, if all before them has been in hand. None: there may be more, to be read."""
        begins = self._waiting[0].first if self._waiting else max(self._start, self._next)
        return None if self._missed or self._known < begins - 1 else range(self._known + 1, self._next)

    def take(self, shards: Collection[int]) -> list[Record] | None:
        """Return what waits for these shards, which is in hand from now on. None: there may be more, to be read."""
        if self.waiting is None:
            return None
        known, seen = self._known, self._seen
        records = [
            record_of(position, row)
            for commit in self._waiting
            for position, row in enumerate(commit.rows, commit.first)
            if row.shard in shards and position > known and position not in seen
        ]
        if self._waiting:
            self.oldest = self._waiting[0].at
        self._forget_waiting()
        self._known = self._next - 1
        return records

    def reading(self) -> None:
        """Note that the relay begins to read: what was committed by now is in what it gets, if that is all."""
        self._missed, self._read_at = False, self._next

    def read(self, found: Found) -> None:
        """Note what it has got, of all shards and destinations: nothing, if it may be another server by now."""
        if self._moved:
            self.lose()
            return
        records, whole, proven = found
        reached = max(self._read_at - 1, proven) if max(self._known, proven) >= self._start - 1 else proven
        if not whole:
            reached = min(reached, records[-1].position if records else _NOTHING)
        self._known = max(self._known, reached)
        self._seen = frozenset([record.position for record in records if record.position > self._known])
        while self._waiting and self._waiting[0].first + len(self._waiting[0].rows) - 1 <= self._known:
            self._octets -= self._waiting.popleft().octets

    def _begin(self, position: int) -> None:
        self._start = self._next = position
        self.miss()

    def _forget_waiting(self) -> None:
        self._waiting.clear()
        self._octets, self._seen = 0, frozenset()
