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
that is parked, a destination that does not take its records, other leases, a read that did not see everything. Then the
relay reads, as it does every half a second in any case, until there is a new proof.
"""

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Final

from notes_command.outbox.row import OutboxRow, Record, record_of

OCTETS: Final = 8 * 1024 * 1024
"""Bytes that wait here, at most; what is beyond is read."""
_NOTHING: Final = -1


@dataclass(slots=True)
class Handover:
    """Between one pipeline, which offers, and one relay, which takes or reads. Pure bookkeeping."""

    _start: int = 2**63
    _next: int = _NOTHING
    """Our stretch: its first position, and the one after its last. Before the first offer it begins at no position."""
    _known: int = _NOTHING
    """Every row of our shards up to here has been in the relay's hand, or never will be there."""
    _connections: int = _NOTHING
    _moved: bool = False
    _waiting: list[Record] = field(default_factory=list)
    _octets: int = 0
    oldest: float = 0.0
    """When the first of what was taken last was offered, by the monotonic clock."""
    _offered_at: float = 0.0
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
        self._octets += sum(len(row.payload or b"") for row in rows)
        if parked or self._missed or self._octets > OCTETS:
            self.miss()
        else:
            if not self._waiting:
                self._offered_at = time.monotonic()
            self._waiting += map(record_of, range(first, last + 1), rows)

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

    def take(self, shards: Collection[int]) -> list[Record] | None:
        """Return what waits for these shards, which is in hand from now on. None: there may be more, to be read."""
        if self._missed or self._known < self._start - 1:
            return None
        self.oldest = self._offered_at
        records = [record for record in self._waiting if record.partition in shards]
        self._forget_waiting()
        self._known = self._next - 1
        return records

    def reading(self) -> None:
        """Note that the relay begins to read: what was committed by now is in what it gets."""
        self._forget_waiting()
        self._missed, self._read_at = False, self._next

    def read(self, records: Sequence[Record], proven: int, *, whole: bool) -> None:
        """Note what it has got. `proven`: how far the mark was proven before. `whole`: all that is there."""
        if not whole:
            self.lose()
            return
        if max(self._known, proven) >= self._start - 1:
            self._known = max(self._read_at - 1, proven)
        else:
            self._known = max(self._known, proven)
        if self._waiting:
            seen = {record.position for record in records}
            self._waiting = [record for record in self._waiting if record.position not in seen]

    def _begin(self, position: int) -> None:
        self._start = self._next = position
        self.miss()

    def _forget_waiting(self) -> None:
        self._waiting, self._octets = [], 0
