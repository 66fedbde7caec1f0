"""Long work on the event loop lets others have their turn."""

import asyncio
import time
from collections.abc import Callable, Iterable
from typing import Final, TypeVar

TURN_S: Final = 0.01
"""Seconds of work between two turns of the loop, and one step more: heartbeats and probes wait no longer."""

Item = TypeVar("Item")
Done = TypeVar("Done")


async def map_in_turns(step: Callable[[Item], Done], items: Iterable[Item]) -> list[Done]:
    """Return what `step` makes of each item, in order."""
    done: list[Done] = []
    until = time.monotonic() + TURN_S
    for item in items:
        done.append(step(item))
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + TURN_S
    return done
