"""A time, not a number, says when others have their turn."""

import asyncio
import time

import pytest

from notes_chassis.turns import TURN_S, in_turns


async def test_the_results_come_in_order() -> None:
    assert await in_turns(2 * n for n in range(1_000)) == [2 * n for n in range(1_000)]


@pytest.mark.parametrize(("steps", "turns"), [(10, 10), (1, 1)])
async def test_whoever_waits_has_a_turn_after_every_long_step(steps: int, turns: int) -> None:
    had = 0

    async def other() -> None:
        nonlocal had
        while True:
            had += 1
            await asyncio.sleep(0)

    def long(_: int) -> None:
        until = time.monotonic() + 1.5 * TURN_S
        while time.monotonic() < until:
            pass

    waiting = asyncio.create_task(other())
    await in_turns(map(long, range(steps)))
    waiting.cancel()
    assert had == turns


async def test_short_steps_are_done_in_one_turn() -> None:
    later = asyncio.create_task(asyncio.sleep(0))
    await in_turns(map(str, range(10)))
    assert not later.done()
    await later
