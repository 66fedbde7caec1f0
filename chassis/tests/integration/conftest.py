from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from chassis_support.http_server import Served, Start, serving


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Give what starts HTTP servers with limits; they end with the test."""
    async with AsyncExitStack() as stack:

        async def start(**limits: Any) -> Served:
            return await stack.enter_async_context(serving(**limits))

        yield start
