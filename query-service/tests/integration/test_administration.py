"""Administration over HTTP, on real servers: the same as the command line does, with the same answers."""

import json
from datetime import timedelta
from typing import Any

import pytest
from query_support.fixtures import Database, Running, Samples, Send, Settings
from structlog.testing import capture_logs

from notes_contracts import Code, partition_of
from notes_contracts.topics import PARTITIONS
from notes_query.projecting.stored_record import DeadLetter
from notes_query.repairing.dead_letter_store import DeadLetters
from tests.harness.waiting import eventually

pytestmark = pytest.mark.usefixtures("quick_looks")

COLLECTIONS = ("notes_v2_1", "notes_v2_1_parked", "search_v2_2", "search_v2_2_parked", "history_v1_2")


async def listed(client: Any, **query: Any) -> Any:
    answer = await client.get("/admin/dead-letters", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def kept(settings: Settings, record: Any, offset: int, at: Any) -> DeadLetter:
    """Return a dead letter that a bug of ours gave up; the next deploy has repaired it."""
    partition = partition_of(record.key, PARTITIONS)
    place = record._replace(topic=settings.topic_events, partition=partition, offset=offset)
    return DeadLetter(place, Code.INTERNAL, "a bug", at)


async def test_two_of_a_note_are_redriven_in_order_and_twice_with_one_effect(
    *, samples: Samples, settings: Settings, running: Running, send: Send, command_line: Any, database: Database
) -> None:
    broken = samples.record(samples.created(samples.other))._replace(value=b"{\x1b[31m")
    async with running(settings) as client:
        await send(settings.topic_events, samples.record(samples.created()), broken)

        async def there() -> bool:
            return (await client.get(f"/notes/{samples.note}?min_version=1&wait=5")).status_code == 200

        await eventually(there)
        dead_letters = [
            kept(settings, samples.record(samples.updated(version=version)), 900 + version, samples.at(version))
            for version in (2, 3)
        ]
        await DeadLetters(database).add(dead_letters)

        async def all_there() -> bool:
            return len((await listed(client))["items"]) == 3

        await eventually(all_there)
        found = (await listed(client))["items"]
        assert json.loads((await command_line("dead-letters", "list", "--json"))[1]) == found
        ids = [one["id"] for one in (await listed(client, note=samples.note.upper(), reason="internal"))["items"]]
        assert ids == [dead_letter.id for dead_letter in dead_letters]
        (unreadable,) = (one["id"] for one in (await listed(client, reason="undecodable"))["items"])
        shown = (await client.get(f"/admin/dead-letters/{ids[0]}")).json()
        assert shown == json.loads((await command_line("dead-letters", "show", "--json", ids[0]))[1]) | {"cut": []}

        with capture_logs() as log:
            answer = await client.post("/admin/dead-letters/redrive", json={"ids": [*reversed(ids), unreadable]})
        done = {one["id"]: one for one in answer.json()["items"]}
        assert answer.status_code == 200
        assert [done[id_]["state"] for id_ in ids] == ["redriven"] * 2
        assert (done[unreadable]["state"], "not JSON" in done[unreadable]["reason"]) == ("open", True)
        seen = await client.get(f"/notes/{samples.note}?min_version=3&wait=10")
        assert (seen.headers["consistency"], seen.json()["version"]) == ("current", 3)
        (act,) = [line for line in log if line["event"] == "administrative act"]
        assert (act["who"], act["act"], act["count"]) == ("anybody", "POST /admin/dead-letters/redrive", 3)
        assert act["result"] == {"redriven": 2, "failed": 1}

        before = [await database[name].find().sort("_id").to_list(None) for name in COLLECTIONS]
        again = await client.post("/admin/dead-letters/redrive", json={"ids": ids, "force": True})
        assert [one["state"] for one in again.json()["items"]] == ["redriven"] * 2
        assert [await database[name].find().sort("_id").to_list(None) for name in COLLECTIONS] == before

        dropped = await client.post("/admin/dead-letters/drop", json={"ids": [unreadable]})
        assert (dropped.status_code, dropped.json()) == (200, {"dropped": [unreadable]})
        assert [one["state"] for one in (await listed(client, state="all"))["items"]].count("dropped") == 1
        assert (await listed(client))["items"] == []


async def test_pages_while_dead_letters_arrive(
    *, samples: Samples, settings: Settings, running: Running, database: Database
) -> None:
    store = DeadLetters(database)

    async def arrive(first: int) -> list[str]:
        """Five of one time, one of them at another's place."""
        at = samples.at(0) + timedelta(seconds=first)
        several = [
            DeadLetter(samples.record(samples.created(), offset=first + n), Code.INTERNAL, "a bug", at)
            for n in range(4)
        ]
        other = samples.record(samples.updated(), offset=first + 3)
        await store.add(several)
        await store.add([DeadLetter(other, Code.INTERNAL, "a bug", at)])
        return [dead_letter.id for dead_letter in (*several, DeadLetter(other, Code.INTERNAL, "a bug", at).marked())]

    async with running(settings) as client:
        expected = [id_ for first in range(0, 20, 5) for id_ in await arrive(first)]
        seen, cursor, first = [], None, 20
        while True:
            page = await listed(client, limit=3, **({} if cursor is None else {"cursor": cursor}))
            seen += [one["id"] for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            if first < 40:
                expected += await arrive(first)
                first += 5
            foreign = await client.get("/admin/dead-letters", params={"cursor": cursor, "reason": "internal"})
            assert (foreign.status_code, foreign.json()["code"]) == (400, "invalid_cursor")
    assert seen == expected


async def test_one_that_is_too_large_to_be_sent_is_cut(
    *, samples: Samples, settings: Settings, running: Running, database: Database
) -> None:
    record = samples.record(samples.created())._replace(
        value=b"{" + b"x" * 15_000_000, headers=(("big", b"h" * 40_000),)
    )
    dead_letter = kept(settings, record, 900, samples.start)
    await DeadLetters(database).add([dead_letter])
    async with running(settings) as client:
        answer = await client.get(f"/admin/dead-letters/{dead_letter.id}")
    assert len(answer.content) < 150_000
    cut = [{"part": "headers", "bytes": 40_003}, {"part": "value", "bytes": 15_000_001}]
    assert answer.json()["cut"] == cut


async def test_what_cannot_be_done_is_refused(
    *, samples: Samples, settings: Settings, running: Running, database: Database
) -> None:
    dead_letter = kept(settings, samples.record(samples.created()), 900, samples.start)
    await DeadLetters(database).add([dead_letter])
    async with running(settings) as client:
        for action in ("redrive", "drop"):
            unknown = await client.post(f"/admin/dead-letters/{action}", json={"ids": [dead_letter.id, "t:0:9"]})
            assert (unknown.status_code, unknown.json()["code"]) == (404, "dead_letter_not_found")
            assert unknown.json()["ids"] == ["t:0:9"]
        assert [one["state"] for one in (await listed(client))["items"]] == ["open"]
        for path, status in {
            "/admin/dead-letters/t:0:9": 404,
            "/admin/dead-letters/%00:0:1": 422,
            "/admin/dead-letters?limit=101": 422,
            "/admin/dead-letters?limit=1_0": 422,
            "/admin/dead-letters?colour=red": 422,
            "/admin/dead-letters?note=7": 422,
            "/admin/dead-letters?cursor=x": 400,
            "/admin/gaps?limit=0": 422,
            "/admin/gaps?note=x": 422,
        }.items():
            answer = await client.get(path)
            assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), path
        path = "/admin/dead-letters/drop"
        for content, said, code in (
            (b'{"ids": ["t:0:9"]}', "text/plain", "unsupported_media_type"),
            (b"ids=t:0:9", "application/x-www-form-urlencoded", "unsupported_media_type"),
            (b"{", "application/json", "invalid"),
            (b'{"ids": []}', "application/json", "invalid"),
            (b'{"ids": ["t:0:9"], "colour": 1}', "application/json", "invalid"),
            (b'{"ids": ["%s"]}' % (b"t" * 2_200_000), "application/json", "too_large"),
        ):
            answer = await client.post(path, content=content, headers={"content-type": said})
            assert answer.json()["code"] == code


async def test_gaps_forks_and_missing_versions_are_shown(
    *, samples: Samples, settings: Settings, running: Running, send: Send, command_line: Any
) -> None:
    impatient = settings.model_copy(update={"query_missing_after_s": 1.0, "query_ask_republish": False})
    async with running(impatient) as client:
        await send(settings.topic_events, samples.record(samples.created()))
        third = samples.record(samples.updated(version=3))
        await send(settings.topic_events, third)
        announced = samples.outcome("3", version=1, note_id=samples.other)
        await send(settings.topic_outcomes, samples.record(announced))

        async def all_shown() -> bool:
            found = (await client.get("/admin/gaps")).json()
            return len(found.get("items", ())) == 2 and len(found["missing"]) == 1

        await eventually(all_shown)
        found = (await client.get("/admin/gaps")).json()
        gaps = json.loads((await command_line("gaps", "--json"))[1])
        assert sorted(gaps, key=str) == sorted(found["items"], key=str)
        assert json.loads((await command_line("missing", "list", "--json"))[1]) == found["missing"]
        assert json.loads((await command_line("forks", "list", "--json"))[1]) == found["forks"] == []
        assert found["more"] is False
        one = (await client.get("/admin/gaps", params={"note": samples.note.upper(), "limit": 1})).json()
        assert [(gap["note_id"], gap["missing"], gap["waiting"]) for gap in one["items"]] == [(samples.note, 2, 1)]
        assert (one["missing"], one["more"]) == ([], True)
