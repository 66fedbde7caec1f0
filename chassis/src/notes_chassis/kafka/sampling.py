"""One look at aiokafka's consumer. Only this module knows what aiokafka keeps to itself."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError

from notes_chassis.kafka.topic_state import TopicState, topic_states
from notes_chassis.kafka.transactions import Uncommitted
from notes_chassis.kafka.watchdog import HealthSample

ANSWER_S: Final = 5.0
AWAY: Final = (KafkaError, IllegalStateError, OSError, TimeoutError)
Learn = Callable[[Any, Collection[TopicPartition]], Awaitable[None]]


def dead_tasks(consumer: Any, loops: Iterable["asyncio.Task[Any]"]) -> tuple[str, ...]:
    """Return which tasks have ended that should run as long as the consumer: nobody starts them again."""
    inner = (
        ("the coordination task", getattr(consumer._coordinator, "_coordination_task", None)),  # noqa: SLF001
        ("the fetch task", getattr(consumer._fetcher, "_fetch_task", None)),  # noqa: SLF001
    )
    found = [name for name, task in inner if task is not None and task.done()]
    if any(task.done() for task in loops):
        found.append("the consuming task")
    return tuple(found)


async def ask_topic(consumer: Any, name: str) -> TopicState | None:
    """Return what Kafka says of a topic; None while it says nothing.

    A consumer looks at its topic every five minutes. If the topic has another number of partitions by now, it is told
    to look again, and the group shares them out anew.
    """
    client = consumer._client  # noqa: SLF001
    try:
        async with asyncio.timeout(ANSWER_S):
            (state,) = await topic_states(client, [name])
            known = client.cluster.partitions_for_topic(name) or ()
            if state.problem is None and len(known) != state.partitions:
                await client.force_metadata_update()
    except AWAY:
        return None
    return state


async def take_sample(consumer: Any, learn: Learn, *, waiting: bool, busy: bool) -> HealthSample:
    """Return how far the consumer is, and how far it could be. No answer of Kafka's in time means: not reachable.

    `learn` is told of the partitions that are assigned.
    """
    # `assignment()` is the same for "none" and for "not told yet".
    subscription = consumer._subscription.subscription  # noqa: SLF001
    assignment = None if subscription is None else subscription.assignment
    asked = time.monotonic()
    try:
        async with asyncio.timeout(ANSWER_S):
            if assignment is None or not assignment.active:
                there = await consumer._client.force_metadata_update()  # noqa: SLF001 - asks, and changes nothing
                return HealthSample(reachable=bool(there), waiting=waiting, busy=busy, assigned=False)
            partitions = list(assignment.tps)
            await learn(consumer, partitions)
            ends = await consumer.end_offsets(partitions) if partitions else {}
    except AWAY:
        return HealthSample(reachable=False, waiting=waiting, busy=busy)
    states = {at.partition: state for at in partitions if (state := assignment.state_value(at)) is not None}
    return HealthSample(
        waiting=waiting,
        busy=busy,
        positions={number: state.position for number, state in states.items() if state.has_valid_position},
        ends={at.partition: end for at, end in ends.items()},
        paused=frozenset(at.partition for at in consumer.paused()),
        asked_s_ago=time.monotonic() - asked,
        uncommitted={
            number: Uncommitted(state.lso, state.highwater)
            for number, state in states.items()
            if state.lso is not None and state.highwater is not None and state.lso < state.highwater
        },
    )


async def abandon(consumer: Any) -> None:
    """End a consumer that does not stop: what is left of it would keep its place in the group."""
    owners = (consumer._coordinator, consumer._fetcher)  # noqa: SLF001
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_fetch_task")
    tasks = [getattr(owner, name, None) for owner in owners for name in names]
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=ANSWER_S)
    await consumer._client.close()  # noqa: SLF001
