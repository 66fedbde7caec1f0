import asyncio
import time

import pytest

from notes_chassis.kafka.pacing import GATHER_MS
from notes_query.composition.consuming import patience_of
from notes_query.projecting.waiters import WANTED_S, Waiters


async def test_a_wake_between_reading_and_waiting_is_not_lost():
    waiters = Waiters()
    with waiters.register("note", 2) as waiter:
        waiters.wake("note", 2)
        async with asyncio.timeout(1):
            await waiter.wait(60)


async def test_only_what_is_waited_for_wakes():
    waiters = Waiters()
    with waiters.register("note", 3) as waiter:
        waiting = asyncio.create_task(waiter.wait(60))
        await asyncio.sleep(0)
        waiters.wake("other", 3)
        waiters.wake("note", 2)
        await asyncio.sleep(0)
        assert not waiting.done()
        waiters.wake("note", 5)
        async with asyncio.timeout(1):
            await waiting


async def test_the_deadline_ends_a_wait():
    waiters = Waiters()
    started = time.monotonic()
    with waiters.register("note") as waiter:
        await waiter.wait(0.05)
    assert 0.04 <= time.monotonic() - started < 1


async def test_many_wait_for_one_key_and_leave_nothing_behind():
    waiters = Waiters()

    async def read(level: int) -> None:
        with waiters.register("note", level) as waiter:
            await waiter.wait(60)

    readers = [asyncio.create_task(read(level)) for level in (1, 2, 2, 3)]
    await asyncio.sleep(0)
    assert waiters
    waiters.wake("note", 2)
    done, left = await asyncio.wait(readers, timeout=0.2, return_when=asyncio.ALL_COMPLETED)
    assert (len(done), len(left)) == (3, 1)
    left.pop().cancel()
    await asyncio.wait(readers)
    assert not waiters


async def test_closing_wakes_everyone_and_lets_nobody_wait():
    waiters = Waiters()
    with waiters.register("one") as before:
        waiters.close()
        async with asyncio.timeout(1):
            await before.wait(60)
            with waiters.register("two") as after:
                await after.wait(60)


def test_records_wait_for_more_of_them_but_hardly_while_somebody_wants_what_they_bring(
    monkeypatch: pytest.MonkeyPatch,
):
    waiters = Waiters()
    patience, served_at_once = patience_of(250, [Waiters(), waiters]), patience_of(0)
    assert (patience(0.004), patience(1.0)) == (250, 250)
    assert (served_at_once(0.004), served_at_once(1.0)) == (GATHER_MS, 0)

    async def wait() -> None:
        with waiters.register("note"):
            monkeypatch.setattr("notes_query.projecting.waiters.monotonic", lambda: float("inf"))
            assert (patience(0.004), patience(1.0)) == (GATHER_MS, 0), "however long it waits"
            monkeypatch.undo()

    asyncio.run(wait())
    assert patience(1.0) == 0, "somebody has waited, and others may"
    monkeypatch.setattr("notes_query.projecting.waiters.monotonic", lambda: time.monotonic() + WANTED_S)
    assert patience(1.0) == 250


async def test_how_long_a_woken_reader_took_to_go_on_is_told_and_a_deadline_is_not():
    told = list[float]()
    waiters = Waiters(woken=told.append)
    with waiters.register("note") as waiter:
        waiting = asyncio.create_task(waiter.wait(60))
        await asyncio.sleep(0)
        waiters.wake("note")
        await waiting
        await waiter.wait(60)
    with waiters.register("note") as waiter:
        await waiter.wait(0)
    assert len(told) == 1
    assert 0 <= told[0] < 1
