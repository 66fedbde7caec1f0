"""Waiting for what others do: for a condition, with a deadline that a busy machine keeps; never for a time."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

TURNS = 20
LOOK_EVERY_S = 0.02
LOOK_LATER_S = 0.1
"""Between two looks once a wait has taken a second: a look is often a request, to what it waits for."""
LATER_BY = 1.1
TEXT_MAX = 4_000

Show = Callable[[Any], object]


async def eventually(
    look: Callable[[], Any], holds: Callable[[Any], object] = bool, *, within_s: float = 30.0, show: Show | None = None
) -> Any:
    """Return what `look` gives, or what it awaits, as soon as that holds.

    Fails with what was waited for and what was seen last, or what `show` makes of that.
    """
    seen: Any = "nothing"
    try:
        async with asyncio.timeout(within_s) as deadline:
            for _ in range(TURNS):
                if holds(seen := await _now(look)):
                    return seen
                await asyncio.sleep(0)
            for pause_s in pauses():
                if holds(seen := await _now(look)):
                    return seen
                await asyncio.sleep(pause_s)
    except TimeoutError:
        if not deadline.expired():
            raise
        last = show(seen) if show else getattr(seen, "text", seen)
        raise AssertionError(f"not within {within_s:g} s: {written(look)}\nlast: {last!s:.{TEXT_MAX}}") from None


def pauses() -> Iterator[float]:
    """Yield the seconds between two looks, without end."""
    pause_s = LOOK_EVERY_S
    while True:
        yield pause_s
        pause_s = min(pause_s * LATER_BY, LOOK_LATER_S)


async def _now(look: Callable[[], Any]) -> Any:
    return await found if isinstance(found := look(), Awaitable) else found


def written(function: Callable[..., Any]) -> str:
    """Return how a function is written, or its name."""
    try:
        return inspect.getsource(function).strip()
    except (OSError, TypeError):
        return getattr(function, "__name__", repr(function))


async def settle() -> None:
    """Let every task go on until it waits for something that only the test can bring about."""
    for _ in range(TURNS):
        await asyncio.sleep(0)


async def stop(running: "asyncio.Task[None]") -> None:
    """Cancel a task that runs for ever, and see it end by that."""
    running.cancel()
    await asyncio.wait([running], timeout=5)
    assert running.cancelled()
