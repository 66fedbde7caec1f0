"""Kafka over a line that a test can cut, and what is left of a client afterwards."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import client as aiokafka_client

from tests.harness.proxy import Proxy, proxied


@asynccontextmanager
async def kafka_over_a_line(bootstrap: str) -> AsyncIterator[Proxy]:
    """Lead all of this process's connections to Kafka over a line that can be cut."""
    host, port = bootstrap.rsplit(":", 1)
    create = aiokafka_client.create_conn

    async with proxied(host, int(port)) as line:

        async def over_the_line(_host: str, _port: int, **named: Any) -> Any:
            return await create("127.0.0.1", line.port, **named)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(aiokafka_client, "create_conn", over_the_line)
            yield line


def tasks_of_aiokafka() -> list[str]:
    """Return the tasks of aiokafka's that may still do something.

    A producer's `stop`, once cancelled, also leaves a task that waits for itself alone: garbage, no work is done in it.
    """
    tasks = [str(task) for task in asyncio.all_tasks()]
    return [task for task in tasks if "aiokafka" in task and "MessageAccumulator.close" not in task]
