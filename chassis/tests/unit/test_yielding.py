import asyncio
import time

import pytest

from notes_chassis.kafka import yielding


async def test_yielding_is_a_share_of_the_time_and_no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under a load that never ends, a fifth of the time is its own, however short its batches are."""
    one = yielding.Yielding(to=lambda: True)
    one.note_work(0.02)
    began = time.monotonic()
    async with asyncio.timeout(1):  # not the four seconds of a batch
        await one.wait(asyncio.Event())
    assert time.monotonic() - began >= 0.079
    less = yielding.Yielding(to=lambda: True, share=lambda: 0.1)
    less.note_work(0.02)
    began = time.monotonic()
    async with asyncio.timeout(1):
        await less.wait(asyncio.Event())
    assert time.monotonic() - began >= 0.179
    one.note_work(60.0)
    monkeypatch.setattr(yielding, "YIELD_S", 0.1)
    async with asyncio.timeout(1):
        await one.wait(asyncio.Event())
