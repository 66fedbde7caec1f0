"""aiokafka's clients, started and closed whatever happens meanwhile."""

import asyncio
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

import structlog
from aiokafka import AIOKafkaConsumer
from aiokafka.errors import KafkaError

from notes_chassis.kafka.aiokafka_internals import client_of, take_apart
from notes_chassis.kafka.cluster import Cluster

log = structlog.get_logger()

STOP_S: Final = 5.0
Client = TypeVar("Client")


def groupless(cluster: Cluster, **options: Any) -> Any:
    """Return a consumer outside every group, not started. It sees what is committed, and commits nothing."""
    fixed: dict[str, Any] = {"group_id": None, "enable_auto_commit": False, "isolation_level": "read_committed"}
    return AIOKafkaConsumer(**cluster.client(), **fixed, **{"auto_offset_reset": "earliest", **options})


async def started(client: Client, within_s: float | None = None) -> Client:
    """Start a client and return it; one that does not start is closed. Raises KafkaError, OSError, TimeoutError."""
    starting: Any = client
    try:
        async with asyncio.timeout(within_s):
            await starting.start()
    except BaseException:
        await close(client)
        raise
    return client


async def close(*clients: Any) -> None:
    """Close clients to their end, even if we are cancelled meanwhile: what is half closed would stay.

    What is None is passed over. Never takes much longer than STOP_S, and raises nothing but the cancellation.
    aiokafka's own methods are cut off by a cancellation, or swallow it (aio-libs/aiokafka issue 983 and pull request
    1000), and wait for ever for a broker that is away (issue 1013).
    """
    await to_its_end(_close_all(clients))


async def _close_all(clients: tuple[Any, ...]) -> None:
    await asyncio.gather(*(_close(client) for client in clients if client is not None))


async def _close(client: Any) -> None:
    try:
        async with asyncio.timeout(STOP_S):
            await (client.stop() if hasattr(client, "stop") else client.close())
    except (TimeoutError, KafkaError, OSError, asyncio.CancelledError) as error:
        # aiokafka cancels a fetch that waits for a broker, and with it the stop that awaits the fetch.
        log.warning("a client of Kafka did not stop in time", kind=type(client).__name__, error=type(error).__name__)
        await take_apart(client)


async def to_its_end(ending: Coroutine[Any, Any, None]) -> None:
    """Do something that has to end by itself within a few seconds; a cancellation is raised after it."""
    task = asyncio.create_task(ending)
    try:
        await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


async def know(consumer: Any, topic: str) -> None:
    """Have a topic known before its partitions are assigned."""
    await client_of(consumer).add_topic(topic)


async def refresh(consumer: Any) -> bool:
    """Ask for the partitions anew: what a client knows may be five minutes old. Return whether anybody answered."""
    return bool(await client_of(consumer).force_metadata_update())
