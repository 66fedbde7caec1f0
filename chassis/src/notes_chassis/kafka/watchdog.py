"""Looks at a consumer, and decides when it has to be started anew: it looks alive, and does not consume."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from notes_chassis.kafka.aiokafka_internals import ANSWER_S, assignment_of, client_of, positions_of
from notes_chassis.kafka.clients import refresh
from notes_chassis.kafka.topic_state import TopicState, look_at

UNASSIGNED_S: Final = 90.0
"""A rebalance takes 40 s at worst (REBALANCE_MS); a second one may follow at once."""
STILL_S: Final = 120.0
"""Longer than a statement may take, 60 s, and a lock may be waited for, 30 s. What waits in back-off does not count."""
OPEN_S: Final = 5.0
"""Seconds after which an open transaction is told. Committing takes far less; one that was forgotten stays open for
minutes, until the broker aborts it."""
AWAY: Final = (KafkaError, IllegalStateError, OSError, TimeoutError)
K = TypeVar("K", str, int)
Learn = Callable[[Any, Collection[TopicPartition]], Awaitable[None]]


class Uncommitted(NamedTuple):
    """A partition whose last stable offset is not its end."""

    stable: int
    end: int

    @property
    def records(self) -> int:
        """Return how many records, markers included, wait."""
        return self.end - self.stable


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
        self._seen = _since(self._seen, should_change, now)
        if (unassigned := self._seen.get("")) is not None and now - unassigned[1] >= UNASSIGNED_S:
            return f"no partitions were assigned for {UNASSIGNED_S:g} s"
        still = [name for name, (_, since) in self._seen.items() if name and now - since >= self.still_s]
        return f"{', '.join(sorted(still))}: no progress for {self.still_s:g} s" if still else None


@dataclass(slots=True)
class OpenTransactions:
    """Tells from looks at the partitions which of them do not move, and for how long."""

    clock: Callable[[], float] = time.monotonic
    _since: dict[int, tuple[int, float]] = field(default_factory=dict)

    def look(self, seen: Mapping[int, Uncommitted]) -> str | None:
        """Return what waits, in words; None while nothing has waited for long."""
        now = self.clock()
        self._since = _since(self._since, {number: one.stable for number, one in seen.items()}, now)
        old = {number: now - since for number, (_, since) in self._since.items() if now - since >= OPEN_S}
        if not old:
            return None
        records = sum(seen[number].records for number in old)
        numbers = ", ".join(map(str, sorted(old)))
        longest = max(old.values())
        return f"{records} records wait behind an open transaction in partition {numbers}, for {longest:.0f} s"


def _since(known: Mapping[K, tuple[int, float]], values: Mapping[K, int], now: float) -> dict[K, tuple[int, float]]:
    """Return each value, and since when it has been the same."""
    return {key: known[key] if known.get(key, (None,))[0] == value else (value, now) for key, value in values.items()}


async def ask_topic(consumer: Any, name: str) -> TopicState | None:
    """Return what Kafka says of a topic; None while it says nothing.

    A consumer looks at its topic every five minutes. If the topic has another number of partitions by now, it is told
    to look again, and the group shares them out anew.
    """
    try:
        async with asyncio.timeout(ANSWER_S):
            state = await look_at(consumer, name)
            known = client_of(consumer).cluster.partitions_for_topic(name) or ()
            if state.problem is None and len(known) != state.partitions:
                await refresh(consumer)
    except AWAY:
        return None
    return state


async def take_sample(consumer: Any, learn: Learn, *, waiting: bool, busy: bool) -> HealthSample:
    """Return how far the consumer is, and how far it could be. No answer of Kafka's in time means: not reachable.

    `learn` is told of the partitions that are assigned.
    """
    assignment, asked = assignment_of(consumer), time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_S):
            if assignment is None or not assignment.active:
                there = await refresh(consumer)  # asks, and changes nothing
                return HealthSample(reachable=there, waiting=waiting, busy=busy, assigned=False)
            partitions = list(assignment.tps)
            await learn(consumer, partitions)
            ends = await consumer.end_offsets(partitions) if partitions else {}
    except AWAY:
        return HealthSample(reachable=False, waiting=waiting, busy=busy)
    states = {at.partition: state for at in partitions if (state := assignment.state_value(at)) is not None}
    return HealthSample(
        waiting=waiting,
        busy=busy,
        positions={at.partition: position for at, position in positions_of(assignment).items()},
        ends={at.partition: end for at, end in ends.items()},
        paused=frozenset(at.partition for at in consumer.paused()),
        asked_s_ago=time.monotonic() - asked,
        uncommitted={
            number: Uncommitted(state.lso, state.highwater)
            for number, state in states.items()
            if state.lso is not None and state.highwater is not None and state.lso < state.highwater
        },
    )
