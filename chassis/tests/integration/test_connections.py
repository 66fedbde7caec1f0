"""No connection to Kafka outlives its client, however the client ends."""

import asyncio

import pytest
from aiokafka import client as module
from aiokafka.client import AIOKafkaClient

import notes_chassis.kafka  # noqa: F401 - changes aiokafka
from tests.harness.waiting import eventually
from tests.servers.addresses import Servers


@pytest.fixture
def connections(monkeypatch: pytest.MonkeyPatch) -> list:
    """Give every connection that is made."""
    made: list = []
    connect = module.create_conn.__globals__["AIOKafkaConnection"].connect

    async def seen(connection):
        made.append(connection)
        return await connect(connection)

    monkeypatch.setattr(module.create_conn.__globals__["AIOKafkaConnection"], "connect", seen)
    return made


async def test_a_client_that_is_cancelled_while_it_starts_leaves_nothing_open(
    servers: Servers, connections: list
) -> None:
    client = AIOKafkaClient(bootstrap_servers=servers.kafka)
    starting = asyncio.create_task(client.bootstrap())
    # Until the connection is made and is asked for the cluster.
    await eventually(lambda: any(connection._versions for connection in connections))
    starting.cancel()
    await asyncio.wait([starting])
    await client.close()
    assert connections
    assert not [connection for connection in connections if connection.connected()]


async def test_a_connection_that_comes_after_the_end_is_closed(servers: Servers, connections: list) -> None:
    client = AIOKafkaClient(bootstrap_servers=servers.kafka)
    await client.bootstrap()
    node = client.get_random_node()
    connecting = asyncio.create_task(client.ready(node))
    await asyncio.sleep(0)
    await client.close()
    assert await connecting is False
    assert not [connection for connection in connections if connection.connected()]
