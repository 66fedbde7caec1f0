from asyncio import AbstractEventLoop
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest
import uvloop
from chassis_support.http_server import Served, Start, serving


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Give what starts HTTP servers with limits; they end with the test."""
    async with AsyncExitStack() as stack:

        async def start(**limits: Any) -> Served:
            return await stack.enter_async_context(serving(**limits))

        yield start


def pytest_asyncio_loop_factories(
    config: pytest.Config, item: pytest.Item
) -> dict[str, Callable[[], AbstractEventLoop]]:
    """Run on the loop that the services run on: its transports are not asyncio's."""
    return {"uvloop": uvloop.new_event_loop}
