"""Looks at aiokafka's consumer for the watchdog: the one place that knows what is inside it."""

import asyncio
from collections.abc import Iterable
from typing import Any, Final

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import IllegalStateError, KafkaError

from notes_command.entrypoints.consumer.watchdog import Vitals

log = structlog.get_logger()

ANSWER_S: Final = 5.0


def ended(consumer: Any, loops: Iterable["asyncio.Task[Any]"]) -> tuple[str, ...]:
    """Return which of the tasks that should run for ever have ended. aiokafka never starts one of its own again."""
    coordinator, fetcher = consumer._coordinator, consumer._fetcher  # noqa: SLF001 - nothing public tells
    tasks = {
        "aiokafka's coordination": getattr(coordinator, "_coordination_task", None),
        "aiokafka's fetcher": getattr(fetcher, "_fetch_task", None),
    }
    names = [name for name, task in tasks.items() if task is not None and task.done()]
    if any(loop.done() for loop in loops):
        names.append("the consuming loop")
    return tuple(names)


async def look(consumer: AIOKafkaConsumer, *, waiting: bool, busy: bool) -> Vitals:
    """Ask Kafka how far the partitions go. An answer that does not come means that it is away."""
    subscription = consumer._subscription.subscription  # noqa: SLF001 - `assignment()` says the same of none and not yet
    if subscription is None or subscription.assignment is None or not subscription.assignment.active:
        return Vitals(reachable=await _answers(consumer), waiting=waiting, busy=busy, assigned=False)
    positions = {}
    partitions = consumer.assignment()
    for partition in partitions - consumer.paused():
        state = subscription.assignment.state_value(partition)
        if state is not None and state.has_valid_position:
            positions[partition.partition] = state.position
    try:
        async with asyncio.timeout(ANSWER_S):
            ends = await consumer.end_offsets(list(partitions)) if partitions else {}
    except (TimeoutError, KafkaError, IllegalStateError, OSError) as error:
        log.debug("ends of the partitions are not known", error=str(error))
        return Vitals(reachable=False)
    return Vitals(waiting=waiting, busy=busy, positions=positions, ends={at.partition: end for at, end in ends.items()})


async def _answers(consumer: Any) -> bool:
    try:
        async with asyncio.timeout(ANSWER_S):
            return bool(await consumer._client.force_metadata_update())  # noqa: SLF001 - the cheapest question
    except (TimeoutError, KafkaError, OSError):
        return False


async def abandon(consumer: Any) -> None:
    """End a consumer that does not stop: whatever is left of it would go on holding its place in the group."""
    coordinator, fetcher = consumer._coordinator, consumer._fetcher  # noqa: SLF001
    names = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task")
    tasks = [getattr(coordinator, name, None) for name in names] + [getattr(fetcher, "_fetch_task", None)]
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=ANSWER_S)
    await consumer._client.close()  # noqa: SLF001
