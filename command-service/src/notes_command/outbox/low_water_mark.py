"""Where to begin reading the outbox, so that rows long gone cost nothing.

A transaction that somebody holds open keeps every row deleted since in the table and in its indexes. A read from the
beginning would step over all of them, each time: the more was sent, the slower. Hence the low-water mark: below it
there is nothing to send, and there never will be.

Why that may be said, though positions become visible in the order of commits:

1. `last` is read from the sequence: every position up to it has been handed out, none of them will be again.
2. Only an INSERT takes a position, and holds the table's RowExclusiveLock from before that until its transaction has
   ended, visible to all. So every transaction that may still bring in a position up to `last` is among those that
   hold the lock *after* `last` was read.
3. Once all of those have ended, a new snapshot shows every position up to `last` that will ever be there. The lowest
   one left, or `last` + 1, is the mark.

The lowest running transaction id would say the same, but the open transaction has one, and it would never move.
Positions that were parked and let go again lie below the mark; they are read separately.

Rows for a destination that cannot be written stay as long as that lasts, and must not be stepped over each time
either. Such a destination is set aside: the mark rises past its rows, and falls back to where it stood once the
destination is set aside no more.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from notes_command.outbox.row import Destination

LOOK_S: Final = 0.25
"""Seconds between two looks: what is deleted meanwhile is stepped over, some thousand rows at most."""
QUIET_S: Final = 10.0
"""The same where this process deletes nothing: others may."""
_PROOFS: Final = 3
"""How often the mark has to be looked for after a row was deleted to pass it: two looks may have begun before that."""

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
"""Runs one statement in a transaction, and so a snapshot, of its own."""


@dataclass(slots=True)
class LowWaterMark:
    """`position`: the first that has to be read. 0, the beginning, is always right.

    `proven`: every position up to it that will ever be there is visible.
    """

    position: int = 0
    proven: int = 0
    aside: dict[Destination, int] = field(default_factory=dict)
    """The mark of each destination that is set aside."""
    connections: int = 0
    """How many this process had made when that was proven."""
    _mark: tuple[int, frozenset[str]] | None = None
    _looked_at: float = float("-inf")
    _due: int = _PROOFS
    _looking: asyncio.Lock = field(default_factory=asyncio.Lock)

    def under(self, connections: int) -> None:
        """Forget what was proven before the last connection was made: it may be to another server."""
        if connections != self.connections:
            self.connections = connections
            self.forget()

    def forget(self) -> None:
        """Begin at the beginning: after a lost connection it may be another server, one that lags behind."""
        self.position, self.proven, self._mark = 0, 0, None
        self.aside = dict.fromkeys(self.aside, 0)

    def deleted(self) -> None:
        """Note that rows are gone."""
        self._due = _PROOFS

    @property
    def lowest(self) -> int:
        """Return the first position that anybody has to read."""
        return min(self.position, *self.aside.values()) if self.aside else self.position

    @property
    def due(self) -> bool:
        """Return whether it is time to look."""
        late = time.monotonic() - self._looked_at >= (LOOK_S if self._due else QUIET_S)
        return late and not self._looking.locked()

    def set_aside_only(self, destinations: Collection[Destination]) -> None:
        """Set these destinations aside, and no others."""
        if self.aside.keys() == set(destinations):
            return
        known, self.aside = self.aside, {one: self.aside.get(one, self.position) for one in destinations}
        self.position = min([self.position, *(at for one, at in known.items() if one not in self.aside)])

    async def advance(self, run: Run) -> None:
        """Raise the mark as far as can be proven, unless that was done just now. Raises what `run` raises."""
        if not self.due:
            return
        async with self._looking:
            await self._advance(run)
            self._looked_at = time.monotonic()

    async def _advance(self, run: Run) -> None:
        connections = self.connections
        last: int = (await run(_LAST, ()))[0][0]
        writers = frozenset(row[0] for row in await run(_WRITERS, ()))
        if self.connections != connections:  # `last` and these may be of two servers
            return
        known = max(self.position - 1, self._mark[0] if self._mark else 0)
        if last < known:  # the sequence was set back: restored, or truncated
            self.forget()
        if self._mark is not None and writers.isdisjoint(self._mark[1]):
            reached = self.proven = self._mark[0]
            aside = self.aside
            lowest = (await run(_LOWEST, (self.position, reached, *pairs(aside))))[0][0]
            if self.aside is not aside:  # others by now, or all was forgotten: the answer is to another question
                return
            self.position = max(self.position, reached + 1 if lowest is None else lowest)
            self._mark = None
            self._due = max(0, self._due - 1)
        if self._mark is None:
            self._mark = (last, writers)


def pairs(destinations: Collection[Destination]) -> tuple[list[str], list[int]]:
    """Return the parameters that stand for destinations."""
    return [one.topic for one in destinations], [one.partition for one in destinations]
