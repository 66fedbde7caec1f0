"""One look at a consumer."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from notes_chassis.kafka.aiokafka_internals import ANSWER_S, assignment_of, client_of, positions_of
from notes_chassis.kafka.clients import look_at, refresh
from notes_chassis.kafka.topic_state import TopicState
from notes_chassis.kafka.transactions import Uncommitted
from notes_chassis.kafka.watchdog import HealthSample

AWAY: Final = (KafkaError, IllegalStateError, OSError, TimeoutError)
Learn = Callable[[Any, Collection[TopicPartition]], Awaitable[None]]


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
