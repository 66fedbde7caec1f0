"""Tells a consumer that is dead from one that has nothing to do, or waits for a server."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

UNASSIGNED_S: Final = 90.0
"""A rebalance waits for its slowest member, 40 s; this is twice that, and a little."""
STUCK_S: Final = 120.0
"""Longer than a statement may take, 60 s, and a lock may be waited for, 30 s: a batch that slow is no dead consumer."""


@dataclass(frozen=True, slots=True)
class Vitals:
    """What was seen of a consumer at one moment.

    `ended`: what has ended that should run for ever. `reachable`: Kafka answered. `waiting`: a batch is in back-off,
    because a server is away or our own deploy is bad. `busy`: one is in hand. `assigned`: the group has given us
    partitions, or none, for now. `positions`, `ends`: next offset to read, and the end of what may be read, by
    partition.
    """

    ended: tuple[str, ...] = ()
    reachable: bool = True
    waiting: bool = False
    busy: bool = False
    assigned: bool = True
    positions: Mapping[int, int] = field(default_factory=dict)
    ends: Mapping[int, int] = field(default_factory=dict)

    @property
    def behind(self) -> dict[int, int]:
        """Return the positions of the partitions that have more to read."""
        return {number: at for number, at in self.positions.items() if at < self.ends.get(number, at)}


@dataclass(slots=True)
class Watchdog:
    """Watches one life of a consumer. Time in which Kafka is away or a batch is in back-off does not count."""

    unassigned_s: float = UNASSIGNED_S
    stuck_s: float = STUCK_S
    clock: Callable[[], float] = time.monotonic
    _assigned_at: float | None = None
    _idle_at: float | None = None
    _moved_at: dict[int, tuple[int, float]] = field(default_factory=dict)

    def ailment(self, seen: Vitals) -> str | None:
        """Return why the consumer should be started anew, or None."""
        now = self.clock()
        if seen.ended:
            return f"{', '.join(seen.ended)} ended"
        if seen.waiting or not seen.reachable:
            self._assigned_at = self._idle_at = None
            self._moved_at.clear()
            return None
        if seen.assigned or self._assigned_at is None:
            self._assigned_at = now
        if not seen.busy or self._idle_at is None:
            self._idle_at = now
        if now - self._assigned_at >= self.unassigned_s:
            return f"no assignment for {self.unassigned_s:g} s"
        if now - self._idle_at >= self.stuck_s:
            return f"one batch has been in hand for {self.stuck_s:g} s"
        return self._stuck(seen.behind, now)

    def _stuck(self, behind: Mapping[int, int], now: float) -> str | None:
        self._moved_at = {
            number: known
            if (known := self._moved_at.get(number)) is not None and known[0] == position
            else (position, now)
            for number, position in behind.items()
        }
        stuck = sorted(number for number, (_, since) in self._moved_at.items() if now - since >= self.stuck_s)
        return f"partitions {stuck} have not moved for {self.stuck_s:g} s, and are behind" if stuck else None
