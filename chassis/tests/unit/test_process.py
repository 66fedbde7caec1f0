"""What becomes of a process when one of its tasks fails."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import FastAPI
from structlog.testing import capture_logs

from notes_chassis.process import TURN_S, Process, TaskSupervisor, in_turns

MARKER = "dear diary"


class Board:
    """Stands for readiness: the states reported, in order."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool, str | None]] = []

    def report(self, name: str, *, ok: bool, reason: str | None = None) -> None:
        self.told.append((name, ok, reason))


def failing(times: int, error: Callable[[], BaseException], well: asyncio.Event) -> Callable[[], Awaitable[None]]:
    """Return a task that fails so often and then runs for ever."""
    left = times

    async def run() -> None:
        nonlocal left
        if left:
            left -= 1
            raise error()
        well.set()
        await asyncio.Event().wait()

    return run


async def served(process: Process, *wells: asyncio.Event) -> None:
    async with process.lifespan(FastAPI()), asyncio.timeout(10):
        for well in wells:
            await well.wait()


async def test_a_task_that_fails_is_started_again_and_takes_nobody_with_it() -> None:
    board, counted, well, other = Board(), [], asyncio.Event(), asyncio.Event()
    process = Process(
        {"figures": failing(2, lambda: KeyError(MARKER), well), "relay": failing(0, KeyError, other)},
        (),
        TaskSupervisor(board, counted.append),
    )
    with capture_logs() as lines:
        await served(process, well, other)
    assert counted == ["figures", "figures"]
    assert process.supervisor.failed == {"figures": 2}
    assert board.told == [("task figures", False, "KeyError")] * 2
    assert [(line["event"], line["task"], line["reason"]) for line in lines] == [
        ("a task failed, starting it again", "figures", "KeyError")
    ] * 2


async def test_a_task_that_has_run_steadily_is_well_again() -> None:
    board, well, told = Board(), asyncio.Event(), asyncio.Event()
    supervisor = TaskSupervisor(board, steady_s=0)
    supervisor.failed["figures"] = 1
    report = board.report

    def tell(name: str, **state: Any) -> None:
        report(name, **state)
        told.set()

    board.report = tell  # type: ignore[method-assign]
    await served(Process({"figures": failing(0, KeyError, well)}, (), supervisor), well, told)
    assert board.told == [("task figures", True, None)]


async def test_a_task_that_ends_or_is_cancelled_from_within_is_started_again() -> None:
    well, after = asyncio.Event(), asyncio.Event()
    ended = 0

    async def ends_once() -> None:
        nonlocal ended
        ended += 1
        if ended > 1:
            after.set()
            await asyncio.Event().wait()

    process = Process(
        {"ends": ends_once, "cancelled": failing(1, asyncio.CancelledError, well)}, (), TaskSupervisor(Board())
    )
    await served(process, well, after)
    assert process.supervisor.failed == {"ends": 1, "cancelled": 1}


async def test_tasks_are_stopped_in_order_and_a_closing_that_fails_does_not_keep_the_next_from_it() -> None:
    done: list[str] = []
    started = asyncio.Event()

    def task(name: str) -> Callable[[], Awaitable[None]]:
        async def run() -> None:
            try:
                started.set()
                await asyncio.Event().wait()
            finally:
                done.append(name)

        return run

    async def broken() -> None:
        raise OSError(MARKER)

    async def closed() -> None:
        done.append("closed")

    process = Process({"b": task("b"), "a": task("a")}, (broken, closed), TaskSupervisor(Board()), first=broken)
    with capture_logs() as lines:
        await served(process, started)
    assert done == ["b", "a", "closed"]
    assert [line["event"] for line in lines] == ["a first look failed", "closing failed"]


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
