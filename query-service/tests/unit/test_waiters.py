import asyncio
import time

import pytest
from query_support.waiting import waits

from notes_query.composition.projector import patience_of
from notes_query.projecting.waiters import WANTED_S, Waiters


async def test_a_wake_between_reading_and_waiting_is_not_lost():
    waiters, stored = Waiters(), {"version": 2}

    async def overtaken(_: str) -> None:
        waiters.wake("note", 2, stored)

    async with asyncio.timeout(1):
        assert await waiters.until("note", 2, overtaken, bool, 60) is stored


async def test_only_what_is_waited_for_wakes():
    waiters = Waiters()
    waiting = asyncio.create_task(waits(waiters, level=3))
    await asyncio.sleep(0)
    waiters.wake("other", 3)
    waiters.wake("note", 2)
    await asyncio.sleep(0)
    assert not waiting.done()
    waiters.wake("note", 5)
    async with asyncio.timeout(1):
        await waiting


async def test_who_is_woken_without_a_document_reads_once_more():
    waiters, there = Waiters(), list[str]()

    async def read(key: str) -> str | None:
        there.append(key)
        return key if len(there) > 1 else None

    waiting = asyncio.create_task(waiters.until("note", 1, read, bool, 60))
    await asyncio.sleep(0)
    waiters.wake("note")
    assert (await waiting, there) == ("note", ["note", "note"])


async def test_the_deadline_ends_a_wait():
    waiters, started = Waiters(), time.monotonic()
    longer = asyncio.create_task(waits(waiters))
    await waits(waiters, seconds=0.05)
    assert time.monotonic() - started >= 0.04
    assert not longer.done()
    longer.cancel()


async def test_many_wait_for_one_key_and_leave_nothing_behind():
    waiters = Waiters()
    readers = [asyncio.create_task(waits(waiters, level=level)) for level in (1, 2, 2, 3)]
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
    before = asyncio.create_task(waits(waiters, level=7))
    await asyncio.sleep(0)
    waiters.close()
    async with asyncio.timeout(1):
        await before
        await waits(waiters)


def test_records_wait_for_more_of_them_but_hardly_while_somebody_wants_what_they_bring(
    monkeypatch: pytest.MonkeyPatch,
):
    waiters = Waiters()
    patience, served_at_once = patience_of(250, [Waiters(), waiters]), patience_of(0)
    assert (patience(0.004), patience(1.0)) == (250, 250)
    assert (served_at_once(0.004), served_at_once(1.0)) == (12, 0)

    async def read(_: str) -> bool:
        monkeypatch.setattr("notes_query.projecting.waiters.monotonic", lambda: float("inf"))
        assert (patience(0.004), patience(1.0)) == (12, 0), "however long it waits"
        monkeypatch.undo()
        return True

    asyncio.run(waiters.until("note", 1, read, bool, 60))
    assert patience(1.0) == 0, "somebody has waited, and others may"
    monkeypatch.setattr("notes_query.projecting.waiters.monotonic", lambda: time.monotonic() + WANTED_S)
    assert patience(1.0) == 250


async def test_how_long_a_woken_reader_took_to_go_on_is_told_and_a_deadline_is_not():
    told = list[float]()
    waiters = Waiters(woken=told.append)
    waiting = asyncio.create_task(waits(waiters))
    await asyncio.sleep(0)
    waiters.wake("note")
    await waiting
    await waits(waiters, seconds=0.01)
    assert len(told) == 1
    assert 0 <= told[0] < 1


async def test_who_is_woken_and_finds_less_waits_on():
    """A secondary, a build that was just switched to, or a new primary may be behind what woke."""
    waiters, reads, there = Waiters(), asyncio.Queue[str](), iter([1, 1, 2])

    async def read(key: str) -> int:
        reads.put_nowait(key)
        return next(there)

    waiting = asyncio.create_task(waiters.until("note", 2, read, lambda version: version > 1, 60))
    async with asyncio.timeout(5):
        for _ in range(2):
            waiters.wake(await reads.get(), 2)
        assert await waiting == 2
