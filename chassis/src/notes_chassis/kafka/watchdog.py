"""Samples a consumer's health, and decides when it has to be started again: it seems alive and does not consume."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, TypeVar

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from notes_chassis.kafka.aiokafka_internals import ANSWER_S, Consumer, assignment_of, client_of, positions_of
from notes_chassis.kafka.clients import refresh
from notes_chassis.kafka.topic_state import TopicState, look_at

UNASSIGNED_S: Final = 90.0
"""A rebalance takes 40 s at worst (REBALANCE_MS); a second one may follow at once."""
STILL_S: Final = 120.0
"""More than a statement may take (60 s) and a lock may be waited for (30 s). Time in back-off does not count."""
OPEN_S: Final = 5.0
"""Seconds after which an open transaction is reported. To commit takes far less; a transaction that was forgotten stays
open for minutes, until the broker aborts it."""
AWAY: Final = (KafkaError, IllegalStateError, OSError, TimeoutError)
K = TypeVar("K", str, int)
Learn = Callable[[Consumer, Collection[TopicPartition]], Awaitable[None]]


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
    """The state of a consumer at one time.

    `dead`: tasks that have ended and should not have. `reachable`: Kafka answers. `waiting`: the batch in hand waits on
    purpose, for a server or for another consumer. `assigned`: the group has told the consumer its partitions, even if
    there are none. `positions` and `ends`, by partition: the next offset to be handed out, and the offset after the
    last that may be read. `paused`: the partitions of which nothing is fetched, on purpose. `asked_s_ago`: seconds
    since Kafka was asked for the ends. `uncommitted`: the partitions that end in an open transaction. `topic`: the
    state of a topic that is not the one this life began with. `refusal`: why Kafka refused to renew a lost connection;
    others may still work.
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
        """Return the positions that should move, by name: those of partitions that are not paused and have more."""
        moving = {number: offset for number, offset in self.positions.items() if number not in self.paused}
        return {f"partition {number}": offset for number, offset in moving.items() if offset < self.ends.get(number, 0)}


@dataclass(slots=True)
class Watchdog:
    """Watches one life of a consumer. While Kafka is away, or a batch waits on purpose, no time passes for it."""

    still_s: float = STILL_S
    clock: Callable[[], float] = time.monotonic
    _unassigned_since: float | None = None
    _unchanged: dict[str, tuple[int, float]] = field(default_factory=dict)
    """What has to change, by name: its value, and since when it has had that."""

    def diagnosis(self, sample: HealthSample) -> str | None:
        """Return what is wrong, as the end of a sentence; None if nothing is."""
        if sample.dead:
            return f"{' and '.join(sample.dead)} ended"
        if sample.waiting or not sample.reachable:
            self._unassigned_since = None
            self._unchanged = {}
            return None
        now = self.clock()
        return self._without_assignment(sample, now) or self._without_progress(sample, now)

    def _without_assignment(self, sample: HealthSample, now: float) -> str | None:
        if sample.assigned:
            self._unassigned_since = None
        elif self._unassigned_since is None:
            self._unassigned_since = now
        elif now - self._unassigned_since >= UNASSIGNED_S:
            return f"no partitions were assigned for {UNASSIGNED_S:g} s"
        return None

    def _without_progress(self, sample: HealthSample, now: float) -> str | None:
        should_change = sample.behind() if sample.assigned else {}
        if sample.busy:
            # Under a steady load a batch is always in hand. When another one is handed out, a position moves.
            should_change["the batch in hand"] = sum(sample.positions.values())
        self._unchanged = _unchanged_since(self._unchanged, should_change, now)
        still = [name for name, (_, since) in self._unchanged.items() if now - since >= self.still_s]
        return f"{', '.join(sorted(still))}: no progress for {self.still_s:g} s" if still else None


@dataclass(slots=True)
class OpenTransactions:
    """Finds the partitions whose last stable offset does not move, and for how long it has not."""

    clock: Callable[[], float] = time.monotonic
    _stable: dict[int, tuple[int, float]] = field(default_factory=dict)

    def diagnosis(self, uncommitted: Mapping[int, Uncommitted]) -> str | None:
        """Return how many records wait behind open transactions, in words; None while none has waited for long."""
        now = self.clock()
        stable = {number: partition.stable for number, partition in uncommitted.items()}
        self._stable = _unchanged_since(self._stable, stable, now)
        waited_s = {number: now - since for number, (_, since) in self._stable.items() if now - since >= OPEN_S}
        if not waited_s:
            return None
        records = sum(uncommitted[number].records for number in waited_s)
        numbers = ", ".join(map(str, sorted(waited_s)))
        longest_s = max(waited_s.values())
        return f"{records} records wait behind an open transaction in partition {numbers}, for {longest_s:.0f} s"


def _unchanged_since(
    known: Mapping[K, tuple[int, float]], values: Mapping[K, int], now: float
) -> dict[K, tuple[int, float]]:
    """Return each value with the time since which it has been the same."""
    since = {}
    for key, value in values.items():
        before = known.get(key)
        since[key] = before if before is not None and before[0] == value else (value, now)
    return since


async def ask_topic(consumer: Consumer, name: str) -> TopicState | None:
    """Return the state of a topic; None while Kafka does not answer.

    A consumer asks for its topic every five minutes. If the topic has another number of partitions by now, the consumer
    asks at once, and the group assigns its partitions again.
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


async def take_sample(consumer: Consumer, learn: Learn, *, waiting: bool, busy: bool) -> HealthSample:
    """Return where the consumer is, and where the partitions end. `reachable` is false without an answer in ANSWER_S.

    `learn` is called with the partitions that are assigned.
    """
    asked_at = time.monotonic()
    assignment = assignment_of(consumer)
    try:
        async with asyncio.timeout(ANSWER_S):
            if assignment is None or not assignment.active:
                reachable = await refresh(consumer)  # asks, and changes nothing
                return HealthSample(reachable=reachable, waiting=waiting, busy=busy, assigned=False)
            partitions = list(assignment.tps)
            await learn(consumer, partitions)
            ends = await consumer.end_offsets(partitions) if partitions else {}
    except AWAY:
        return HealthSample(reachable=False, waiting=waiting, busy=busy)
    states = {tp.partition: state for tp in partitions if (state := assignment.state_value(tp)) is not None}
    return HealthSample(
        waiting=waiting,
        busy=busy,
        positions={tp.partition: position for tp, position in positions_of(assignment).items()},
        ends={tp.partition: end for tp, end in ends.items()},
        paused=frozenset(tp.partition for tp in consumer.paused()),
        asked_s_ago=time.monotonic() - asked_at,
        uncommitted={
            number: Uncommitted(state.lso, state.highwater)
            for number, state in states.items()
            if state.lso is not None and state.highwater is not None and state.lso < state.highwater
        },
    )
