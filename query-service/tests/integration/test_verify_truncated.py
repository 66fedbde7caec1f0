"""The beginning of the topic is gone, and snapshots tell the rest: what is stored is right, and says more."""

from typing import Any

import pytest
from query_support.fixtures import Database, Running, Samples, Send, Settings

from notes_contracts import format_time
from notes_query.composition.shared import Shared
from tests.harness.waiting import eventually

NOTES, SEARCH, HISTORY = "notes_v2_1", "search_v2_2", "history_v1_2"


@pytest.fixture
async def note(
    *, samples: Samples, settings: Settings, running: Running, send: Send, database: Database, operator: Shared
) -> str:
    """Give a note of which three events and a snapshot of the last version were stored everywhere; nothing runs."""
    note = str(samples.note)
    async with running(settings):
        events = samples.created(), samples.updated(version=2), samples.updated(version=3)
        await send(settings.topic_events, *map(samples.record, events))

        async def stored() -> bool:
            held = [await database[name].count_documents({"version": 3}) for name in (NOTES, SEARCH, HISTORY)]
            return held == [1, 1, 1]

        await eventually(stored)
        now = await database[NOTES].find_one({"_id": note})
        state = {name: now[name] for name in ("title", "body", "tags", "author")}
        times = {name: format_time(now[name]) for name in ("created_at", "updated_at")}
        await send(settings.topic_events, samples.record(samples.snapshotted(version=3, **state, **times)))
        written = sum((await operator.topic.ends()).values())

        async def read() -> bool:
            groups = {build.group for build in (await operator.builds.served()).values()}
            return all([sum((await operator.topic.committed(group)).values()) == written for group in groups])

        await eventually(read)
    return note


@pytest.mark.parametrize("gone", [2, 3], ids=["before the last event", "all events"])
async def test_what_a_snapshot_does_not_tell_is_no_difference(
    *, gone: int, note: str, settings: Settings, verified: Any, forget: Any, database: Database
):
    await forget(settings.topic_events, note, gone)
    before = {name: await database[name].find().sort("_id").to_list() for name in (NOTES, SEARCH, HISTORY)}

    reports = await verified(repair=True)

    unverifiable = {"notes": [], "search": [], "history": [f"{note}:{version}" for version in range(1, gone + 1)]}
    assert {name: (one.differences, sorted(one.unverifiable)) for name, one in reports.items()} == {
        name: ([], ids) for name, ids in unverifiable.items()
    }
    after = {name: await database[name].find().sort("_id").to_list() for name in (NOTES, SEARCH, HISTORY)}
    assert after == before


async def test_a_repair_keeps_the_ids_that_the_topic_does_not_tell_any_more(
    *, note: str, settings: Settings, verified: Any, forget: Any, database: Database
):
    """Without them a fork of these versions would not be noticed."""
    await forget(settings.topic_events, note, 3)
    right = await database[NOTES].find_one({"_id": note})
    await database[NOTES].update_one({"_id": note}, {"$set": {"title": "by hand"}})
    await database[HISTORY].update_one({"_id": f"{note}:3"}, {"$set": {"type": "by hand"}})

    reports = await verified(repair=True)

    assert [(one.field, one.stored) for one in reports["notes"].differences] == [("title", "by hand")]
    assert (reports["notes"].repaired, reports["history"].repaired) == (1, 0)
    assert await database[NOTES].find_one({"_id": note}) == right


async def test_a_jump_over_a_gap_that_is_none_any_more_is_no_difference(note: str, verified: Any, database: Database):
    """As where this release reads an event that the one before did not."""
    await database[NOTES].update_one({"_id": note}, {"$set": {"snapshot": 3}})
    await database[HISTORY].update_one(
        {"_id": f"{note}:3"}, {"$set": {"event_id": None, "type": "notes.event.note-snapshotted.v1"}}
    )

    reports = await verified()

    assert reports["notes"].differences == []
    assert {one.field for one in reports["history"].differences} == {"type"}, "this it can tell"
