"""The consumer as the chassis uses it, and the private attributes of aiokafka that are read.

Nothing of aiokafka is replaced here: aiokafka_patches.py does that. Parameters of type Any are aiokafka's objects,
which have no types. `client_of` goes when a consumer shows its client, as a producer does, and `committed` with
https://github.com/aio-libs/aiokafka/issues/857. For the others no issue was found: public methods wait until there is
an assignment, and nothing public tells that a task of a consumer has ended.
"""

import asyncio
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, Protocol

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchError

ANSWER_S: Final = 5.0
"""Seconds that Kafka has to answer a request of a consumer."""
_FETCHER_POLL_S: Final = 1.0
_TASKS: Final = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_fetch_task", "_sender_task")

Offsets = dict[TopicPartition, int]


class Consumer(Protocol):
    """The methods of AIOKafkaConsumer that the chassis calls."""

    def assignment(self) -> Collection[TopicPartition]: ...  # noqa: D102 - aiokafka's own
    def partitions_for_topic(self, topic: str) -> Collection[int] | None: ...  # noqa: D102
    def paused(self) -> Collection[TopicPartition]: ...  # noqa: D102
    def pause(self, *partitions: TopicPartition) -> None: ...  # noqa: D102
    def resume(self, *partitions: TopicPartition) -> None: ...  # noqa: D102
    def seek(self, partition: TopicPartition, offset: int) -> None: ...  # noqa: D102
    async def position(self, partition: TopicPartition) -> int: ...  # noqa: D102
    async def beginning_offsets(self, partitions: Collection[TopicPartition]) -> Offsets: ...  # noqa: D102
    async def end_offsets(self, partitions: Collection[TopicPartition]) -> Offsets: ...  # noqa: D102
    async def commit(self, offsets: Mapping[TopicPartition, tuple[int, str]]) -> None: ...  # noqa: D102


def client_of(client: Any) -> Any:
    """Return the connections of a consumer, an administrator or a producer."""
    return getattr(client, "_client", None) or getattr(client, "client", client)


def refusal_of(client: Any) -> Exception | None:
    """Return why Kafka refused the client's last connection, None if Kafka let it in.

    aiokafka_connections.py notes that on the client.
    """
    refusal: Exception | None = getattr(client_of(client), "_notes_refusal", None)
    return refusal


def assignment_of(consumer: Any) -> Any:
    """Return the consumer's assignment, None before the group has told it. `assignment()` is empty in both cases."""
    subscription = consumer._subscription.subscription
    return None if subscription is None else subscription.assignment


def positions_of(assignment: Any) -> Offsets:
    """Return the positions of an assignment that are known. aiokafka's `position` would wait for the others."""
    if assignment is None:
        return {}
    states = {tp: assignment.state_value(tp) for tp in assignment.tps}
    return {tp: state.position for tp, state in states.items() if state and state.has_valid_position}


async def committed(consumer: Any, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Any]:
    """Return the committed offsets with their metadata, which aiokafka's own `committed` drops."""
    offsets: dict[TopicPartition, Any] = await consumer._coordinator.fetch_committed_offsets(partitions)
    return offsets


def dead_tasks(consumer: Any, loops: Iterable["asyncio.Task[Any]"]) -> tuple[str, ...]:
    """Return the names of tasks that have ended. Each should run as long as the consumer: nobody starts it again."""
    tasks = (
        ("the coordination task", getattr(consumer._coordinator, "_coordination_task", None)),
        ("the fetch task", getattr(consumer._fetcher, "_fetch_task", None)),
    )
    dead = [name for name, task in tasks if task is not None and task.done()]
    if any(task.done() for task in loops):
        dead.append("the consuming task")
    return tuple(dead)


async def take_apart(client: Any) -> None:
    """End a client that does not stop. What is left of a consumer would keep its place in the group."""
    owners = [getattr(client, name, None) for name in ("_coordinator", "_fetcher", "_sender")]
    tasks = [getattr(owner, name, None) for owner in owners for name in _TASKS]
    running = [task for task in tasks if task is not None and not task.done()]
    for task in running:
        task.cancel()
    if running:
        await asyncio.wait(running, timeout=ANSWER_S)
    await client_of(client).close()


def forget_errors(consumer: Any) -> None:
    """Drop the errors of other partitions after one was raised. The next fetch finds those that still hold.

    aiokafka keeps an error for each partition and raises one a call, each of which costs five seconds in FastStream: a
    topic of twelve partitions would stay unread for a minute after access was granted again.
    """
    fetcher = consumer._fetcher
    for tp in [tp for tp, result in fetcher._records.items() if isinstance(result, FetchError)]:
        del fetcher._records[tp]
    fetcher._notify(fetcher._wait_consume_future)  # as aiokafka does after each error


def set_fetch_wait(consumer: Any, max_wait_ms: int, min_bytes: int) -> None:
    """Let the broker hold the next fetch requests for `max_wait_ms` at most, until there are `min_bytes`."""
    fetcher = consumer._fetcher
    fetcher._fetch_max_wait_ms = max_wait_ms
    fetcher._fetch_min_bytes = min_bytes
    # How often the fetcher wakes up while a request is under way, by default every 0.2 s. What matters wakes it anyway.
    fetcher._fetcher_timeout = _FETCHER_POLL_S


def fetched(fetcher: Any) -> list[Any]:
    """Return the records of each partition that a fetcher holds."""
    return [getattr(result, "_partition_records", None) for result in fetcher._records.values()]


def wake(fetcher: Any) -> None:
    """Wake the polls that wait for records."""
    for waiter in list(fetcher._fetch_waiters):
        fetcher._notify(waiter)


def batches_in(records: Any) -> Any:
    """Return the batches of a PartitionRecords: the chassis' BoundedRecords."""
    return records._records


def unpack_again(records: Any) -> None:
    """Let a PartitionRecords go on after its generator has ended: the object holds all of its state."""
    records._records_iterator = records._unpack_records()
