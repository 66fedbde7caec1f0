"""The whole service between a real Kafka and a real MongoDB."""

import asyncio
from typing import Any

import pytest
from query_support.fixtures import Database, Running, Samples, Send, Settings
from query_support.reading import reached

from notes_contracts import partition_of
from tests.harness.metrics import shown
from tests.harness.waiting import eventually

PARTITIONS = 12


def history(samples: Samples, last: int, note: str | None = None) -> list[Any]:
    messages = [samples.created(note), *(samples.updated(note, version) for version in range(2, last + 1))]
    return [samples.record(message) for message in messages]


async def version(client: Any, note: str) -> int | None:
    answer = await client.get(f"/notes/{note}")
    return answer.json().get("version")


async def test_what_kafka_carries_can_be_read(samples: Samples, settings: Settings, running: Running, send: Send):
    async with running(settings) as client:
        await send(settings.topic_events, *history(samples, 3))
        await send(settings.topic_outcomes, samples.record(samples.outcome()))

        note = await client.get(f"/notes/{samples.note}?min_version=3&wait=10")
        outcome = await client.get(f"/commands/{samples.id('command')}?wait=10")
        listed = await client.get("/notes")

    assert (note.status_code, note.headers["consistency"], note.json()["version"]) == (200, "current", 3)
    assert note.json()["preview"] == "body 3"
    assert (outcome.status_code, outcome.json()["status"]) == (200, "accepted")
    assert [item["id"] for item in listed.json()["items"]] == [samples.note]


async def test_a_reader_is_woken_by_the_projector_not_by_its_deadline(
    samples: Samples, settings: Settings, running: Running, send: Send
):
    async with running(settings) as client:
        await send(settings.topic_events, *history(samples, 1))
        await reached(client, samples.note)
        woken = shown("notes_query_woken_seconds_count", kind="notes")
        for version, event in enumerate(history(samples, 10)[1:], start=2):
            asked = asyncio.create_task(reached(client, samples.note, version))
            await eventually(lambda: shown("notes_query_awaited", kind="notes"))
            await send(settings.topic_events, event)
            assert (await asked).json()["version"] == version
            # A reader that looked for the version only after it was stored has not waited.
            if shown("notes_query_woken_seconds_count", kind="notes") > woken:
                return
    pytest.fail("no reader was woken")


async def test_duplicates_and_an_older_version_change_nothing(
    samples: Samples, settings: Settings, running: Running, send: Send, database: Database
):
    events = history(samples, 4)
    last = samples.record(samples.created(samples.other))
    async with running(settings) as client:
        await send(settings.topic_events, *events, events[3], events[1], *events, last)
        # The same partition would prove nothing: only its own order says that all before was read.
        own = partition_of(samples.note.encode(), PARTITIONS)
        await send(settings.topic_events, last, partition=own)
        await reached(client, samples.other)
        await send(settings.topic_events, samples.record(samples.updated(version=5)))
        await reached(client, samples.note, 5)

    messages = [samples.created(), *(samples.updated(version=number) for number in range(2, 6))]
    assert await database["notes_v2_1"].find_one({"_id": samples.note}) == samples.document(*messages)
    assert await database["notes_v2_1_parked"].count_documents({}) == 0


async def test_batches_out_of_order_heal_across_a_restart(
    *, samples: Samples, settings: Settings, running: Running, send: Send, database: Database
):
    events = history(samples, 6)
    async with running(settings) as client:
        await send(settings.topic_events, events[3], events[4], events[0])
        await reached(client, samples.note)

        async def parked() -> bool:
            answer = await client.get(f"/notes/{samples.note}")
            return answer.headers.get("consistency") == "parked" and answer.json().get("version") == 1

        await eventually(parked)
    assert await database["notes_v2_1_parked"].count_documents({"kind": "gap"}) == 2

    await send(settings.topic_events, events[1], events[5], events[2])
    async with running(settings) as client:
        answer = await reached(client, samples.note, 6)

    assert answer.json()["version"] == 6
    assert await database["notes_v2_1_parked"].count_documents({}) == 0


async def test_a_restart_goes_on_where_the_last_batch_was_committed(
    samples: Samples, settings: Settings, running: Running, send: Send, database: Database
):
    async with running(settings) as client:
        await send(settings.topic_events, *history(samples, 2))
        await reached(client, samples.note, 2)
    # A record that was committed is not read again: else it would bring the note back.
    await database["notes_v2_1"].delete_one({"_id": samples.note})

    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created(samples.other)))
        await reached(client, samples.other)
        assert await version(client, samples.note) is None


async def test_a_fork_is_kept_and_changes_nothing(
    *, samples: Samples, settings: Settings, running: Running, send: Send, database: Database
):
    fork = samples.record(samples.updated(version=2, body="forked"), name="another")
    async with running(settings) as client:
        await send(settings.topic_events, *history(samples, 2), fork)
        await eventually(lambda: database["notes_v2_1_parked"].find_one({"kind": "fork"}))
        answer = await client.get(f"/notes/{samples.note}?min_version=2&wait=10")

    assert answer.json()["preview"] == "body 2"
