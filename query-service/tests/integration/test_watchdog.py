"""What dies inside aiokafka stays dead: the watchdog starts the consumer again, from the committed offsets."""

import asyncio
import gc
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer
from query_support.fixtures import Running, Samples, Send, Settings

from notes_chassis.kafka import supervisor as supervisor_module
from notes_chassis.kafka.watchdog import Watchdog
from tests.harness.metrics import shown

KILLS = {
    "coordination": lambda consumer: consumer._coordinator._coordination_task.cancel(),
    "fetcher": lambda consumer: consumer._fetcher._fetch_task.cancel(),
}


def consumer_of(group: str) -> Any:
    # By the exact type: to ask a dead weak reference what it is would raise.
    found = [one for one in gc.get_objects() if type(one) is AIOKafkaConsumer]
    (alive,) = [one for one in found if one._group_id == group and not one._closed]
    return alive


async def at_version(client: Any, note: str, version: int) -> Any:
    """Give the answer once it holds the version; a consumer that is started again takes its time to join."""
    async with asyncio.timeout(60):
        while True:
            answer = await client.get(f"/notes/{note}?min_version={version}&wait=5")
            if answer.headers.get("consistency") == "current":
                return answer


def restarts() -> float:
    return shown("notes_query_consumer_restarts_total", projector="notes")


@pytest.mark.parametrize("task", KILLS)
async def test_a_dead_task_is_found_and_nothing_is_lost_or_done_twice(
    *, samples: Samples, settings: Settings, running: Running, send: Send, task: str
):
    before = restarts()
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        await at_version(client, samples.note, 1)

        KILLS[task](consumer_of(f"{settings.query_group}-notes-v2-1"))
        later = [samples.record(samples.updated(version=version)) for version in range(2, 20)]
        await send(settings.topic_events, *later)
        answer = await at_version(client, samples.note, 19)

    assert answer.json()["version"] == 19
    assert restarts() - before == 1


async def test_a_fetch_that_hangs_is_found_by_its_lag(
    *, samples: Samples, settings: Settings, running: Running, send: Send, monkeypatch: Any
):
    monkeypatch.setattr(supervisor_module, "CHECK_S", 0.3)
    monkeypatch.setattr(supervisor_module, "Watchdog", lambda: Watchdog(still_s=3))
    before = restarts()
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        await at_version(client, samples.note, 1)

        async def hangs(*_: Any, **__: Any) -> None:
            await asyncio.Event().wait()

        monkeypatch.setattr(consumer_of(f"{settings.query_group}-notes-v2-1")._fetcher, "fetched_records", hangs)
        # The fetch that waits already brings the first of these, the one after it hangs.
        for version in (2, 3):
            await send(settings.topic_events, samples.record(samples.updated(version=version)))
            await at_version(client, samples.note, version)

    assert restarts() - before == 1
