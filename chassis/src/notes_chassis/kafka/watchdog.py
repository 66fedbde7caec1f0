"""Decides when a consumer has to be started anew: it looks alive, and does not consume."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from notes_chassis.kafka.topic_state import TopicState
from notes_chassis.kafka.transactions import Uncommitted

UNASSIGNED_S: Final = 90.0
"""A rebalance takes 40 s at worst (REBALANCE_MS); a second one may follow at once."""
STILL_S: Final = 120.0
"""Longer than a statement may take, 60 s, and a lock may be waited for, 30 s. What is tried again in back-off does not
count."""


@dataclass(frozen=True, slots=True)
class HealthSample:
    """One look at a consumer.

    `dead`: tasks that have ended and should not have. `reachable`: Kafka answers. `waiting`: the batch in hand waits on
    purpose, for a server or for another consumer. `assigned`: the group has told us our partitions, none included.
    `positions` and `ends`, by partition: the next offset to be handed out, and the one after the last that may be read.
    `paused`: the partitions of which nothing is fetched, on purpose. `asked_s_ago`: seconds since Kafka was asked for
    the ends. `uncommitted`: the partitions that end in an open transaction. `topic`: what Kafka says of it, if it was
    asked. `refusal`: why Kafka did not let in a connection that was lost; the others may still work.
    """

    dead: tuple[str, ...] = ()
    reachable: bool = True
    waiting: bool = False
    busy: bool = False
    assigned: bool = True
    positions: Mapping[int, int] = field(default_factory=dict)
    ends: Mapping[int, int] = field(default_factory=dict)
    paused: frozenset[int] = frozenset()
    asked_s_ago: float = 0.0
    uncommitted: Mapping[int, Uncommitted] = field(default_factory=dict)
    topic: TopicState | None = None
    refusal: Exception | None = None

    def behind(self) -> dict[str, int]:
        """Return where it stands, for everything that should move: partitions with more to read."""
        moving = {at: offset for at, offset in self.positions.items() if at not in self.paused}
        return {f"partition {at}": offset for at, offset in moving.items() if offset < self.ends.get(at, 0)}


@dataclass(slots=True)
class Watchdog:
    """Watches one life of a consumer. While Kafka is away, or a batch waits on purpose, no time passes for it."""

    unassigned_s: float = UNASSIGNED_S
    still_s: float = STILL_S
    clock: Callable[[], float] = time.monotonic
    _seen: dict[str, tuple[int, float]] = field(default_factory=dict)

    def diagnosis(self, sample: HealthSample) -> str | None:
        """Return what is wrong, as the end of a sentence; None if nothing is."""
        if sample.dead:
            return f"{' and '.join(sample.dead)} ended"
        if sample.waiting or not sample.reachable:
            self._seen.clear()
            return None
        # Each is something that has to change, with the value that it has had since some time.
        should_change = {"": 0} if not sample.assigned else sample.behind()
        if sample.busy:
            # Under a steady load there always is one. Handing out another moves a position.
            should_change["the batch in hand"] = sum(sample.positions.values())
        now = self.clock()
        self._seen = {name: self._since(name, value, now) for name, value in should_change.items()}
        return self._verdict(now)

    def _since(self, name: str, value: int, now: float) -> tuple[int, float]:
        known = self._seen.get(name)
        return known if known is not None and known[0] == value else (value, now)

    def _verdict(self, now: float) -> str | None:
        if (unassigned := self._seen.get("")) is not None and now - unassigned[1] >= self.unassigned_s:
            return f"no partitions were assigned for {self.unassigned_s:g} s"
        still = [name for name, (_, since) in self._seen.items() if name and now - since >= self.still_s]
        return f"{', '.join(sorted(still))}: no progress for {self.still_s:g} s" if still else None
