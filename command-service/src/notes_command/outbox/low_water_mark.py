"""The position at which reads of the outbox begin, so that deleted rows cost nothing.

While somebody holds a transaction open, every row that was deleted since stays in the table and in its indexes. A read
from the beginning would step over all of them, each time: the more was sent, the slower. Hence the low-water mark:
below it there is no row to send, and there never will be.

The proof, though positions become visible in the order of commits:

1. `last` is read from the sequence: every position up to it has been given out, and none will be given out again.
2. Only an INSERT takes a position. It holds the table's RowExclusiveLock from before that until its transaction has
   ended and is visible. So every transaction that may still add a position up to `last` is among those that hold the
   lock *after* `last` was read.
3. Once all of those have ended, a new snapshot shows every position up to `last` that will ever be there. The lowest of
   them, or `last` + 1 if there is none, is the mark.

The lowest running transaction id would prove the same, but a transaction that is held open has one, too, and the mark
would not move. Unparked rows lie below the mark; they are read separately.

Rows for a destination that cannot be written stay while that lasts, and reads must not step over them either. Such a
destination is set aside: the mark rises past its rows, and falls back once the destination is no longer set aside.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from notes_command.outbox.row import Destination

CHECK_S: Final = 0.25
"""Seconds between two checks. Meanwhile reads step over the rows that were deleted, some thousand at most."""
QUIET_S: Final = 10.0
"""Seconds between two checks while this process deletes nothing: other instances may."""
_CHECKS: Final = 3
"""Checks that it takes until the mark has passed a deleted row: two of them may have begun before the deletion."""

_LAST: Final = "SELECT coalesce(pg_sequence_last_value('outbox_position_seq'), 0)"
_WRITERS: Final = """
SELECT virtualtransaction FROM pg_locks
WHERE locktype = 'relation' AND relation = 'outbox'::regclass AND mode = 'RowExclusiveLock'
  AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
"""
_LOWEST: Final = """
SELECT min(position) FROM outbox WHERE parked_at IS NULL AND position BETWEEN $1 AND $2
AND (topic, shard) NOT IN (SELECT * FROM unnest($3::text[], $4::smallint[]))
"""

Run = Callable[[str, tuple[Any, ...]], Awaitable[Sequence[Any]]]
"""Runs a statement in a transaction of its own, and so in a snapshot of its own."""


@dataclass(slots=True)
class LowWaterMark:
    """`position`: the first position that has to be read; 0 is always right.

    `proven`: every row up to this position that will ever be there is visible.
    """

    position: int = 0
    proven: int = 0
    aside: dict[Destination, int] = field(default_factory=dict)
    """The mark of each destination that is set aside."""
    connections: int = 0
    """How many connections this process had made when that was proven."""
    _candidate: tuple[int, frozenset[str]] | None = None
    """A position that is proven once these transactions have ended."""
    _checked_at: float = float("-inf")
    _checks_left: int = _CHECKS
    _checking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def under(self, connections: int) -> None:
        """Forget what was proven before the last connection was made: that may be to another server."""
        if connections != self.connections:
            self.connections = connections
            self.forget()

    def forget(self) -> None:
        """Return to the beginning: after a lost connection the server may be another one that lags behind."""
        self.position = 0
        self.proven = 0
        self._candidate = None
        self.aside = dict.fromkeys(self.aside, 0)

    def deleted(self) -> None:
        """Note that rows were deleted."""
        self._checks_left = _CHECKS

    @property
    def lowest(self) -> int:
        """Return the first position that has to be read, also of destinations that are set aside."""
        return min(self.position, *self.aside.values()) if self.aside else self.position

    @property
    def due(self) -> bool:
        """Return whether a check is due."""
        interval = CHECK_S if self._checks_left else QUIET_S
        return time.monotonic() - self._checked_at >= interval and not self._checking.locked()

    def set_aside_only(self, destinations: Collection[Destination]) -> None:
        """Set these destinations aside, and no others."""
        if self.aside.keys() == set(destinations):
            return
        before = self.aside
        self.aside = {destination: before.get(destination, self.position) for destination in destinations}
        returned = [position for destination, position in before.items() if destination not in self.aside]
        self.position = min([self.position, *returned])

    async def advance(self, run: Run) -> None:
        """Raise the mark as far as can be proven, if a check is due. Raises what `run` raises."""
        if not self.due:
            return
        async with self._checking:
            await self._advance(run)
            self._checked_at = time.monotonic()

    async def _advance(self, run: Run) -> None:
        connections = self.connections
        last: int = (await run(_LAST, ()))[0][0]
        writers = frozenset(row[0] for row in await run(_WRITERS, ()))
        if self.connections != connections:  # `last` and `writers` may be of two servers
            return
        highest_known = max(self.position - 1, self._candidate[0] if self._candidate else 0)
        if last < highest_known:  # the sequence was set back: restored, or truncated
            self.forget()
        if self._candidate is not None and writers.isdisjoint(self._candidate[1]):
            self.proven = proven = self._candidate[0]
            aside = self.aside
            lowest = (await run(_LOWEST, (self.position, proven, *pairs(aside))))[0][0]
            if self.aside is not aside:  # changed meanwhile: the answer does not fit any more
                return
            self.position = max(self.position, proven + 1 if lowest is None else lowest)
            self._candidate = None
            self._checks_left = max(0, self._checks_left - 1)
        if self._candidate is None:
            self._candidate = (last, writers)


def pairs(destinations: Collection[Destination]) -> tuple[list[str], list[int]]:
    """Return topics and partitions of the destinations as parameters."""
    topics = [destination.topic for destination in destinations]
    return topics, [destination.partition for destination in destinations]
