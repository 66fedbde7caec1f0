"""A store that hangs raises nothing: a batch that is not done is told, and goes on."""

import asyncio

import pytest
from chassis_support.loop import ONE, Loop

from notes_chassis.kafka import commits, consumer
from tests.harness.waiting import eventually


async def test_a_batch_that_takes_long_is_told_and_goes_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "LATE_S", 0.05)
    monkeypatch.setattr(commits, "INTERVAL_S", 0.01)
    answered, loop = asyncio.Event(), Loop((ONE, 0))
    process = loop.consumer.process

    async def hanging(records: object) -> None:
        await answered.wait()
        await process(records)  # type: ignore[arg-type]

    loop.consumer.process = hanging
    late = loop.count("waits_total", reason="late")
    turn = asyncio.create_task(loop.turn())
    await eventually(lambda: "things" in loop.health.parts and not loop.health.parts["things"].ok)
    assert loop.health.parts["things"].reason == "a batch has waited 0.05 s for an answer"
    assert (loop.count("waits_total", reason="late"), loop.count("waiting")) == (late + 1, 1)
    assert not loop.consumer.waiting, "for the watchdog it is at work: one that never ends is a bug"
    answered.set()
    await turn
    assert loop.batches == [[(1, 0)]]
    assert loop.health.parts["things"].ok
    assert loop.count("waiting") == 0


async def test_a_late_try_does_not_hide_why_the_service_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(consumer, "LATE_S", 0.05)
    answered, loop = asyncio.Event(), Loop((ONE, 0))
    process = loop.consumer.process
    tries = 0

    async def failing_once(records: object) -> None:
        nonlocal tries
        tries += 1
        if tries == 1:
            raise OSError
        await answered.wait()
        await process(records)  # type: ignore[arg-type]

    loop.consumer.process = failing_once
    loop.consumer.unready = lambda error: isinstance(error, OSError)
    turn = asyncio.create_task(loop.turn())
    await eventually(
        lambda: "has waited" in str(loop.health.parts.get("things") and loop.health.parts["things"].reason)
    )
    assert not loop.health.ready([])
    answered.set()
    await turn
    assert loop.health.ready([])
