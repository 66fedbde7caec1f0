"""A client that is closed is gone, with its connections and tasks, whatever happens to whoever closes it."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka.admin import AIOKafkaAdminClient

from notes_chassis.kafka.aiokafka_internals import client_of
from notes_chassis.kafka.clients import close, groupless, producer, started
from notes_chassis.kafka.cluster import Cluster
from tests.servers.addresses import Servers

MADE: dict[str, Callable[[str], Any]] = {
    "consumer": lambda kafka: groupless(Cluster(kafka)),
    "producer": lambda kafka: producer(Cluster(kafka), enable_idempotence=True),
    "admin": lambda kafka: AIOKafkaAdminClient(bootstrap_servers=kafka),
}


async def opened(servers: Servers, kind: str) -> tuple[Any, Any, list[Any]]:
    client = await started(MADE[kind](servers.kafka))
    inner = client_of(client)
    await inner.fetch_all_metadata()
    connections = list(inner._conns.values())
    assert any(connection.connected() for connection in connections)
    return client, inner, connections


def tasks_of(client: Any) -> list[Any]:
    owners = [getattr(client, name, None) for name in ("_fetcher", "_sender")]
    return [
        task for owner in owners for name in ("_fetch_task", "_sender_task") if (task := getattr(owner, name, None))
    ]


@pytest.mark.parametrize("turns", range(6))
@pytest.mark.parametrize("kind", MADE)
async def test_closing_that_is_cancelled_comes_to_its_end_and_is_cancelled(
    servers: Servers, kind: str, turns: int
) -> None:
    client, inner, connections = await opened(servers, kind)
    tasks = tasks_of(client)
    after: list[str] = []

    async def closes() -> None:
        await close(client)
        await asyncio.sleep(0)
        after.append("the cancellation was swallowed")

    closing = asyncio.create_task(closes())
    for _ in range(turns):
        await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing], timeout=20)
    if turns:  # else nothing had begun
        assert not [connection for connection in [*connections, *inner._conns.values()] if connection.connected()]
        assert inner._sync_task is None
        assert all(task.done() for task in tasks)
    else:
        await close(client)
    assert closing.cancelled()
    assert after == []


async def test_several_are_closed_though_the_first_is_cut_off(servers: Servers) -> None:
    first, second = await opened(servers, "consumer"), await opened(servers, "admin")
    closing = asyncio.create_task(close(first[0], None, second[0]))
    await asyncio.sleep(0)
    closing.cancel()
    await asyncio.wait([closing], timeout=20)
    assert not [connection for connection in [*first[2], *second[2]] if connection.connected()]


@pytest.mark.parametrize("kind", MADE)
async def test_one_that_does_not_stop_is_taken_apart(
    servers: Servers, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("notes_chassis.kafka.clients.STOP_S", 0.05)
    client, _, connections = await opened(servers, kind)
    tasks = tasks_of(client)
    name = "stop" if hasattr(client, "stop") else "close"
    client._closed = True  # aiokafka's finaliser would say that nobody closed it

    async def never() -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(client, name, never)
    await close(client)
    assert not [connection for connection in connections if connection.connected()]
    assert all(task.done() for task in tasks)


async def test_one_that_does_not_start_is_closed(servers: Servers, monkeypatch: pytest.MonkeyPatch) -> None:
    client = groupless(Cluster(servers.kafka))
    inner = client_of(client)

    async def fails() -> None:
        await inner.bootstrap()
        raise OSError("no")

    monkeypatch.setattr(client, "start", fails)
    with pytest.raises(OSError, match="no"):
        await started(client)
    assert client._closed
    assert inner._sync_task is None
