"""A reader at one instance waits for what another one projects."""

import asyncio
from typing import Any

import pytest
from query_support.fixtures import Database, Running, Samples, Send, Settings
from query_support.waiting import waits

from notes_contracts import NoteDeleted, format_time
from notes_query.live.remote_wakeups import MongoChanges, RemoteWakeups
from notes_query.projecting.fold_batch import Mark, Writes
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.waiters import LAST, level_of
from tests.harness.waiting import eventually


async def test_readers_of_both_instances_are_woken_long_before_their_deadline(
    *, samples: Samples, settings: Settings, running: Running, send: Send
):
    notes = [samples.id(f"note {number}") for number in range(24)]  # on nearly all of the twelve partitions
    async with running(settings) as one, running(settings) as two:
        for client in (one, two):
            await eventually(lambda client=client: consuming(client))
        asked = [
            asyncio.create_task(client.get(f"/notes/{note}?min_version=1&wait=10"))
            for client in (one, two)
            for note in notes
        ]
        asked += [
            asyncio.create_task(client.get(f"/commands/{samples.id('command')}?wait=10")) for client in (one, two)
        ]
        loop = asyncio.get_running_loop()
        started = loop.time()
        await send(settings.topic_events, *(samples.record(samples.created(note)) for note in notes))
        await send(settings.topic_outcomes, samples.record(samples.outcome()))
        answers = await asyncio.gather(*asked)

    assert {answer.status_code for answer in answers} == {200}
    assert {answer.headers["consistency"] for answer in answers[:-2]} == {"current"}
    assert loop.time() - started < 8


async def consuming(client: Any) -> bool:
    parts = (await client.get("/readyz")).json()["parts"]
    return all(name in parts and parts[name]["ok"] for name in ("notes", "outcomes"))


async def test_what_is_stored_between_reading_and_following_is_not_missed(samples: Samples, database: Database):
    """The stream is opened after the reader has read: what fell in between is read once it is open."""
    changes = MongoChanges(database, lambda: "notes_v2_1", level_of)
    wakes = RemoteWakeups(changes, lambda _: False)
    opened = asyncio.Event()
    follow = changes.follow

    async def late(tell: Any, opened_: Any) -> None:
        await FoldStore(database, "notes_v2_1").write(Writes(inserts=[samples.document(samples.created())]))
        opened.set()
        await follow(tell, opened_)

    changes.follow = late  # type: ignore[method-assign]
    running = asyncio.create_task(wakes.run())
    async with asyncio.timeout(8):
        await waits(wakes.waiters, samples.note)
    assert opened.is_set()

    async with asyncio.timeout(8):
        waiting = asyncio.create_task(waits(wakes.waiters, samples.other))
        await asyncio.sleep(0)
        other = samples.document(samples.created(samples.other))
        await FoldStore(database, "notes_v2_1").write(Writes(inserts=[other]))
        await waiting
    running.cancel()
    await asyncio.wait([running])


async def test_a_stream_that_ends_is_opened_again(samples: Samples, database: Database):
    wakes = RemoteWakeups(MongoChanges(database, lambda: "notes_v2_1", level_of), lambda _: False)
    running = asyncio.create_task(wakes.run())
    store = FoldStore(database, "notes_v2_1")
    for note in (samples.note, samples.other):
        async with asyncio.timeout(8):
            waiting = asyncio.create_task(waits(wakes.waiters, note))
            await asyncio.sleep(0)
            await database["notes_v2_1"].drop()  # ends every stream on it
            await store.write(Writes(inserts=[samples.document(samples.created(note))]))
            await waiting
    running.cancel()
    await asyncio.wait([running])


@pytest.mark.parametrize("body", ["short", "long " * 2_000], ids=["short", "long"])
async def test_a_stored_version_is_told_and_a_mark_is_not(samples: Samples, database: Database, body: str):
    """MongoDB tells a change by what is new where that is shorter than the whole document."""
    told: asyncio.Queue[tuple[str, int]] = asyncio.Queue()
    opened, store = asyncio.Event(), FoldStore(database, "notes_v2_1")

    async def set_opened() -> None:
        opened.set()

    changes = MongoChanges(database, lambda: "notes_v2_1", level_of)
    following = asyncio.create_task(changes.follow(lambda *level: told.put_nowait(level), set_opened))
    await opened.wait()
    first = samples.document(samples.created(body=body))
    await store.write(Writes(inserts=[first]))
    await store.write(Writes(replaces=[first | {"version": 2, "title": "another"}]))
    await store.write(Writes(marks=[Mark(samples.note, 2, parked=True)]))
    await store.write(Writes(replaces=[samples.document(samples.created(), samples.updated(version=3))]))
    deleted = NoteDeleted(note_id=samples.note, version=4, occurred_at=format_time(samples.at(4)))
    await store.write(Writes(replaces=[samples.document(samples.created(), deleted)]))

    async with asyncio.timeout(8):
        # Of a deleted note nothing more will come: whoever waits for any version is woken.
        assert [await told.get() for _ in range(4)] == [(samples.note, version) for version in (1, 2, 3, LAST)]
    assert await changes.levels([samples.note]) == [(samples.note, LAST)]
    following.cancel()
    await asyncio.wait([following])
