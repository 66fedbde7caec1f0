"""Fixtures of the unit tests."""

from collections.abc import AsyncIterator

import pytest
from command_support.http_side import HttpSide


@pytest.fixture
async def side() -> AsyncIterator[HttpSide]:
    made = HttpSide()
    yield made
    await made.client.aclose()
