"""What aiokafka keeps to itself and we read. Nothing of it is replaced here: aiokafka_patches.py does that.

`client_of` goes when a consumer shows its client, as a producer does, and `committed` with
https://github.com/aio-libs/aiokafka/issues/857. For the others no issue was found: public methods wait until there is
an assignment, and nothing public tells that a task of a consumer has ended.
"""

import asyncio
from collections.abc import Collection, Iterable
from typing import Any, Final

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchError

ANSWER_S: Final = 5.0
_LOOK_AROUND_S: Final = 1.0
_TASKS: Final = ("_coordination_task", "_heartbeat_task", "_commit_refresh_task", "_fetch_task", "_sender_task")


def client_of(client: Any) -> Any:
    """Return the connections of a consumer, an administrator or a producer."""
    return getattr(client, "_client", None) or getattr(client, "client", client)


def refusal_of(client: Any) -> Exception | None:
    """Return why the client's last connection was not let in, None if it was (aiokafka_connections.py notes that)."""
    found: Exception | None = getattr(client_of(client), "_notes_refusal", None)
    return found


def assignment_of(consumer: Any) -> Any:
    """Return what a consumer was assigned; None before it was told, where `assignment()` is merely empty."""
    subscription = consumer._subscription.subscription
    return None if subscription is None else subscription.assignment


def positions_of(assignment: Any) -> dict[TopicPartition, int]:
    """Return the positions of an assignment that are known. `position` would wait for the others."""
    if assignment is None:
        return {}
    states = {at: assignment.state_value(at) for at in assignment.tps}
    return {at: state.position for at, state in states.items() if state and state.has_valid_position}


async def committed(consumer: Any, partitions: Collection[TopicPartition]) -> dict[TopicPartition, Any]:
    """Return offset and metadata of what a group has committed. aiokafka's own `committed` drops the metadata."""
    found: dict[TopicPartition, Any] = await consumer._coordinator.fetch_committed_offsets(partitions)
    return found


def dead_tasks(consumer: Any, loops: Iterable["asyncio.Task[Any]"]) -> tuple[str, ...]:
    """Return which tasks have ended that should run as long as the consumer: nobody starts them again."""
    inner = (
        ("the coordination task", getattr(consumer._coordinator, "_coordination_task", None)),
        ("the fetch task", getattr(consumer._fetcher, "_fetch_task", None)),
    )
    found = [name for name, task in inner if task is not None and task.done()]
    if any(task.done() for task in loops):
        found.append("the consuming task")
    return tuple(found)


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
    """Drop the errors of other partitions after one was raised: the next fetch finds them anew, where they still are.

    aiokafka keeps one for each partition and raises one a call, each of which costs five seconds in FastStream: a topic
    of twelve partitions would be away for a minute more than it was forbidden.
    """
    fetcher = consumer._fetcher
    for at in [at for at, found in fetcher._records.items() if isinstance(found, FetchError)]:
        del fetcher._records[at]
    fetcher._notify(fetcher._wait_consume_future)  # as aiokafka does after each


def fetch_within(consumer: Any, wait_ms: int, at_least_bytes: int) -> None:
    """Have requests from now on wait that long on the broker, at most, for so many bytes."""
    fetcher = consumer._fetcher
    fetcher._fetch_max_wait_ms, fetcher._fetch_min_bytes = wait_ms, at_least_bytes
    # It also looks around this often while a request is under way, for nothing: what matters wakes it. 0.2 otherwise.
    fetcher._fetcher_timeout = _LOOK_AROUND_S


def fetched(fetcher: Any) -> list[Any]:
    """Return the records of each partition that wait in a fetcher."""
    return [getattr(result, "_partition_records", None) for result in fetcher._records.values()]


def wake(fetcher: Any) -> None:
    """Let whoever waits for records look again."""
    for waiter in list(fetcher._fetch_waiters):
        fetcher._notify(waiter)


def batches_in(records: Any) -> Any:
    """Return the batches that a PartitionRecords reads: our BoundedRecords."""
    return records._records


def unpack_again(records: Any) -> None:
    """Let a PartitionRecords go on after its generator has ended; all that it knew is in the object."""
    records._records_iterator = records._unpack_records()
