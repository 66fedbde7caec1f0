"""Long work on the event loop lets others have their turn."""

import asyncio
import time
from collections.abc import Iterable
from typing import Final, TypeVar

TURN_S: Final = 0.01
"""Seconds of work between two turns of the loop, and one step more: heartbeats and probes wait no longer."""

Done = TypeVar("Done")


async def in_turns(steps: Iterable[Done]) -> list[Done]:
    """Return what the steps yield, in order. The work is done on the way: they are a generator, or a `map`."""
    done: list[Done] = []
    until = time.monotonic() + TURN_S
    for step in steps:
        done.append(step)
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + TURN_S
    return done
