"""Dead letters from the command line, on real servers."""

import json
from typing import Any

from query_support.fixtures import Database, Running, Samples, Send, Settings

from notes_contracts import Code, partition_of
from notes_contracts.topics import PARTITIONS
from notes_query.projecting.stored_record import DeadLetter
from notes_query.repairing.dead_letter_store import DeadLetters
from tests.harness.waiting import eventually

COLLECTIONS = ("notes_v2_1", "notes_v2_1_parked", "search_v2_2", "search_v2_2_parked", "history_v1_2")


async def test_what_was_given_up_is_listed_shown_applied_and_dropped(
    *, samples: Samples, settings: Settings, running: Running, send: Send, command_line: Any, database: Database
):
    broken = samples.record(samples.created(samples.other))._replace(value=b"{\x1b[31m")
    async with running(settings) as client:
        first = samples.record(samples.created())
        third = samples.record(samples.updated(version=3))
        await send(settings.topic_events, first, third, broken)
        await eventually(lambda: there(client, samples.note))
        # A bug of ours gave the second one up; the next deploy has repaired it.
        second = samples.record(samples.updated())._replace(
            topic=settings.topic_events, partition=partition_of(samples.note.encode(), PARTITIONS), offset=900
        )
        await DeadLetters(database).add([DeadLetter(second, Code.INTERNAL, "a bug", samples.start)])

        async def both() -> bool:
            return await database["dead_letters"].count_documents({}) == 2

        await eventually(both)
        _, output, _ = await command_line("dead-letters", "list", "--json")
        found = {dead_letter["code"]: dead_letter for dead_letter in json.loads(output)}
        assert found["internal"]["note_id"] == samples.note

        code, output, _ = await command_line("dead-letters", "redrive", "--all", "--json")
        done = {one["id"]: one for one in json.loads(output)}

        assert code == 1  # one of them failed again
        assert done[found["internal"]["id"]]["state"] == "redriven"
        assert "not JSON" in done[found["undecodable"]["id"]]["reason"]
        answer = await client.get(f"/notes/{samples.note}?min_version=3&wait=10")
        assert (answer.headers["consistency"], answer.json()["version"]) == ("current", 3)

        before = [await database[name].find().sort("_id").to_list(None) for name in COLLECTIONS]
        code, _, _ = await command_line("dead-letters", "redrive", found["internal"]["id"])
        assert code == 0
        assert [await database[name].find().sort("_id").to_list(None) for name in COLLECTIONS] == before

    code, output, _ = await command_line("dead-letters", "drop", "--note", samples.other)
    assert (code, output.strip()) == (0, f"dropped {found['undecodable']['id']}")
    states = [dead_letter["state"] for dead_letter in await database["dead_letters"].find({}).to_list(None)]
    assert sorted(states) == ["dropped", "redriven"]


async def there(client: Any, note: str) -> bool:
    return (await client.get(f"/notes/{note}?min_version=1&wait=5")).status_code == 200
