"""The release before had no versions in its names: it may go on beside this one, which reads nothing of it."""

from dataclasses import replace
from typing import Any

import pytest
from query_support.fixtures import Database, Running, Samples, Send, Settings

from notes_query.composition.shared import Shared
from notes_query.errors import Refused
from notes_query.rebuilding.drop_build import drop_unversioned, left_over, unversioned
from tests.harness.waiting import eventually


@pytest.fixture
async def left(samples: Samples, database: Database) -> list[str]:
    """Leave what that release has in the database; return the names of its collections."""
    await database["generations"].insert_many(
        [{"_id": 1, "shapes": ["notes"], "lane": "core"}, {"_id": 2, "shapes": ["search", "history"], "lane": "side"}]
    )
    await database["pointers"].insert_one({"_id": "notes", "generation": 1})
    await database["notes_1"].insert_one({"_id": samples.other, "version": 9, "title": "of the release before"})
    await database["notes_1_parked"].insert_one({"_id": f"{samples.other}:11"})
    await database["history_2"].insert_one({"_id": f"{samples.other}:9"})
    await database["instances"].insert_one({"_id": "host-1", "pointers": {"notes": 1}, "feeds": [1, 2]})
    return ["notes_1", "notes_1_parked", "history_2", "pointers", "instances", "generations"]


async def test_what_a_drop_that_was_killed_has_left_is_named(
    *, settings: Settings, running: Running, operator: Shared, database: Database, command_line: Any
):
    """Its texts would stay, also of notes that are deleted later."""
    async with running(settings):
        await eventually(operator.builds.served)
    notes = (await operator.builds.all())[0]
    await operator.builds.add(replace(notes, number=3))
    await operator.builds.drop(3)
    await database["notes_v2_3"].insert_one({"_id": "left"})
    _, listed, _ = await command_line("builds")
    assert "build 3 is dropped, but not all of it: `drop 3` once more for notes_v2_3" in listed

    assert (await command_line("drop", "3"))[0] == 0
    assert await left_over(operator.builds, database) == {}
    assert "not all of it" not in (await command_line("builds"))[1]


async def test_read_models_are_built_anew_and_what_was_left_is_dropped_by_hand(
    *,
    samples: Samples,
    settings: Settings,
    running: Running,
    send: Send,
    left: list[str],
    database: Database,
    command_line: Any,
):
    await send(settings.topic_events, samples.record(samples.created()))
    async with running(settings) as client:

        async def ready() -> bool:
            return bool((await client.get("/readyz")).status_code == 200)

        await eventually(ready)
        note = await client.get(f"/notes/{samples.note}?min_version=1&wait=10")
        unknown = await client.get(f"/notes/{samples.other}")
        _, listed, _ = await command_line("builds")
    assert (note.status_code, note.json()["version"], unknown.status_code) == (200, 1, 404)
    assert f"`drop unversioned` once nobody rolls back to it: {', '.join(left)}" in listed

    await database["instances"].update_one({}, [{"$set": {"seen_at": "$$NOW"}}])
    with pytest.raises(Refused, match="still used by host-1"):
        await drop_unversioned(database)
    assert await unversioned(database) == left
    await database["instances"].update_one({}, [{"$set": {"seen_at": {"$subtract": ["$seen_at", 11_000]}}}])
    code, said, _ = await command_line("drop", "unversioned")
    assert (code, said.strip()) == (0, f"dropped: {', '.join(left)}")
    assert await drop_unversioned(database) == []
    assert await database["notes_v2_1"].count_documents({}) == 1
