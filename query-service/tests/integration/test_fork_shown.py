"""What a fork says is read from the topic, where it stands."""

import json
from typing import Any

import pytest

from tests.harness.waiting import eventually

pytestmark = pytest.mark.usefixtures("quick_looks")
COLLECTIONS = ("notes_v2_1", "search_v2_2")


async def test_the_text_of_a_fork_is_not_shown_out_of_another_topic(
    *, samples: Any, settings: Any, running: Any, send: Any, database: Any, command_line: Any
):
    record = samples.record(samples.updated(version=2, body="restored words"), name="another")
    async with running(settings):
        await send(settings.topic_events, samples.record(samples.created()), samples.record(samples.updated()), record)

        async def kept() -> bool:
            return all([await database[f"{name}_parked"].count_documents({"kind": "fork"}) for name in COLLECTIONS])

        await eventually(kept)
    _, output, _ = await command_line("forks", "list", "--json")
    (fork,) = json.loads(output)
    code, output, _ = await command_line("forks", "show", fork["id"])
    assert (code, "restored words" in output) == (0, True)
    for changed, complaint in (
        ({"offset": fork["offset"] - 1}, "another event stands there"),
        ({"topic": "before"}, f"was read from before, and {settings.topic_events} is read now"),
    ):
        for name in COLLECTIONS:
            await database[f"{name}_parked"].update_many({"kind": "fork"}, {"$set": changed})
        code, output, complaints = await command_line("forks", "show", fork["id"])
        assert (code, fork["event_id"] in output, "body" in output) == (1, True, False)
        assert complaint in complaints
