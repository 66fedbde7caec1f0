"""Waiting for what other tasks do: for a condition, with a deadline, never for a time."""

import asyncio
from collections.abc import Callable

TURNS = 20


async def until(condition: Callable[[], object]) -> None:
    """Return once the condition holds. Raises TimeoutError after five seconds."""
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0)


async def settle() -> None:
    """Let every task go on until it waits for something that only the test can bring about."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def stop(running: "asyncio.Task[None]") -> None:
    """Cancel a task that runs for ever, and see it end by that."""
    running.cancel()
    await asyncio.wait([running], timeout=5)
    assert running.cancelled()
