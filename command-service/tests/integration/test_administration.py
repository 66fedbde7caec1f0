"""Administration over HTTP, on real servers: the same as the command line does, with the same answers."""

import json
from datetime import UTC, datetime, timedelta

import asyncpg
import pytest
from command_support.bugs import buggy
from command_support.processes import told
from structlog.testing import capture_logs

from notes_contracts import CreateNote, UpdateNote
from tests.harness.kafka_io import Sent, command, header, new_id

BOTH = (CreateNote, UpdateNote)
INSERT = """
INSERT INTO dead_letters (topic, partition, "offset", key, value, headers, note_id, type, code, reason, at, record)
SELECT 'notes.commands', 3, n, NULL, NULL, '[]', NULL, 'x', 'undecodable', 'not JSON', $2::timestamptz, ''
FROM generate_series($1::int, $1::int + 4) AS n
"""


async def dead_lettered(write_side, monkeypatch, *records):
    """Publish commands to a service whose handlers are broken, and wait for their dead letters."""
    with buggy(monkeypatch, *BOTH):
        async with write_side.running():
            await write_side.publish(records)
            await write_side.dead_letters(len(records))


async def listed(http, **query):
    answer = await http.get("/admin/dead-letters", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def redrive(http, ids, **more):
    return await http.post("/admin/dead-letters/redrive", json={"ids": ids, **more})


def acts(log):
    return [line for line in log if line["event"] == "administrative act"]


async def test_one_is_listed_shown_and_redriven_twice_with_one_effect(write_side, monkeypatch):
    record = command(CreateNote(note_id=new_id(), title="Good"))
    await dead_lettered(write_side, monkeypatch, record)
    async with write_side.running() as http:
        (item,) = (await listed(http, reason="internal", type="create-note"))["items"]
        cli = await told(write_side.settings, "dead-letters", "list", "--json")

        assert json.loads(cli.out) == [item]
        shown = (await http.get(f"/admin/dead-letters/{item['id']}")).json()
        whole = json.loads((await told(write_side.settings, "dead-letters", "show", "--json", item["id"])).out)
        assert shown == whole | {"cut": []}
        with capture_logs() as log:
            first = await redrive(http, [item["id"]])
            await write_side.events(1)  # the note has changed, by this very dead letter
            second = await redrive(http, [item["id"]])
        assert (first.status_code, second.json()) == (200, first.json())
        ((sent,),) = (first.json()["redriven"],)
        events = await write_side.events(1)
        outcomes = await write_side.outcomes(3)
        assert (await listed(http))["items"] == []
        (again,) = (await listed(http, state="redriven"))["items"]
    assert [header(event, "ce_causationid") for event in events] == [sent["command_id"]]
    assert sum(json.loads(one.value)["status"] == "accepted" for one in outcomes) == 2, "one outcome, sent again"
    assert (again["id"], again["state"]) == (item["id"], "redriven")
    assert [(line["who"], line["act"], line["ids"], line["result"]) for line in acts(log)] == [
        ("anybody", "POST /admin/dead-letters/redrive", [item["id"]], {"redriven": 1})
    ] * 2


async def test_order_is_kept_and_a_note_changed_since_is_named_and_needs_force(write_side, monkeypatch):
    note, other = new_id(), new_id()
    async with write_side.running():
        await write_side.publish([command(CreateNote(note_id=one, title="T")) for one in (note, other)])
        await write_side.events(2)
    late = [command(UpdateNote(note_id=note, body=f"late {n}")) for n in range(5)]
    await dead_lettered(write_side, monkeypatch, *late, command(UpdateNote(note_id=other, body="late")))
    async with write_side.running() as http:
        await write_side.publish([command(UpdateNote(note_id=note, body="in time"))])
        await write_side.events(3)
        ids = [one["id"] for one in (await listed(http, note=note.upper()))["items"]]
        (of_other,) = (one["id"] for one in (await listed(http, note=other))["items"])
        refused = await redrive(http, [*reversed(ids), of_other])
        assert (refused.status_code, refused.json()["code"]) == (409, "dead_letters_held")
        assert {one["id"] for one in refused.json()["held"]} == set(ids)
        assert "is at version 2" in refused.json()["held"][0]["reason"]
        assert len((await listed(http))["items"]) == 6, "none was sent"
        assert (await http.get(f"/notes/{note}")).json()["body"] == "in time"
        assert (await redrive(http, [*reversed(ids), of_other], force=True)).status_code == 200
        events = await write_side.events(9)
        assert (await http.get(f"/notes/{note}")).json()["body"] == "late 4"
    bodies = [json.loads(event.value)["body"] for event in events if event.key == note.encode()][1:]
    assert bodies == ["in time", *(f"late {n}" for n in range(5))]


async def test_pages_while_dead_letters_arrive(write_side):
    connection = await asyncpg.connect(write_side.settings.postgres)
    start = datetime.now(UTC)
    async with write_side.running() as http:
        for number in range(4):  # five of one time
            await connection.execute(INSERT, 5 * number, start + timedelta(seconds=number))
        seen, cursor, number = [], None, 20
        while True:
            page = await listed(http, limit=3, **({} if cursor is None else {"cursor": cursor}))
            seen += [one["id"] for one in page["items"]]
            cursor = page["next_cursor"]
            if cursor is None:
                break
            if number < 40:
                await connection.execute(INSERT, number, start + timedelta(seconds=number))
                number += 5
            foreign = await http.get("/admin/dead-letters", params={"cursor": cursor, "state": "all"})
            assert (foreign.status_code, foreign.json()["code"]) == (400, "invalid_cursor")
    await connection.close()
    assert seen == [f"notes.commands:3:{offset}" for offset in range(40)]


async def test_one_that_is_too_large_to_be_sent_is_cut(write_side):
    poison = Sent(b"k", b"{" + b"x" * 1_500_000, [("ce_id", new_id().encode()), ("big", b"h" * 40_000)])
    async with write_side.running() as http:
        await write_side.publish([poison])
        await write_side.dead_letters(1)
        (item,) = (await listed(http))["items"]
        answer = await http.get(f"/admin/dead-letters/{item['id']}")
    assert len(answer.content) < 150_000
    assert answer.json()["cut"] == [
        {"part": "headers", "bytes": 40_000 + 3 + 5 + 36},
        {"part": "value", "bytes": 1_500_001},
    ]


async def test_what_cannot_be_done_is_refused(write_side):
    poison = Sent(b"k", b"{", [])
    async with write_side.running() as http:
        await write_side.publish([poison])
        await write_side.dead_letters(1)
        (item,) = (await listed(http))["items"]
        with capture_logs() as log:
            for action in ("redrive", "drop"):
                unknown = await http.post(f"/admin/dead-letters/{action}", json={"ids": [item["id"], "t:0:9"]})
                assert (unknown.status_code, unknown.json()["code"]) == (404, "dead_letter_not_found")
                assert unknown.json()["ids"] == ["t:0:9"]
        assert [line["result"] for line in acts(log)] == ["dead_letter_not_found"] * 2
        assert [one["state"] for one in (await listed(http))["items"]] == ["open"]
        for path, status in {
            "/admin/dead-letters/t:0:9": 404,
            "/admin/dead-letters/t:0:%00": 422,
            "/admin/dead-letters/%00:0:1": 422,
            "/admin/dead-letters?limit=101": 422,
            "/admin/dead-letters?limit=1_0": 422,
            "/admin/dead-letters?limit=0": 422,
            "/admin/dead-letters?colour=red": 422,
            "/admin/dead-letters?note=7": 422,
            "/admin/dead-letters?state=shut": 422,
            "/admin/dead-letters?type=%00": 422,
            "/admin/dead-letters?cursor=x": 400,
            "/admin/outbox?limit=101": 422,
            "/admin/dead-letters/drop": 405,
        }.items():
            assert (await http.get(path)).status_code == status, path
        as_text = await http.post(
            "/admin/dead-letters/drop", content='{"ids": ["t:0:9"]}', headers={"content-type": "text/plain"}
        )
        assert (as_text.status_code, as_text.json()["code"]) == (415, "unsupported_media_type")
        many = await http.post("/admin/dead-letters/drop", json={"ids": ["t:0:1"] * 101})
        assert (many.status_code, many.json()["code"]) == (422, "invalid")
        done = await http.post("/admin/dead-letters/drop", json={"ids": [item["id"]]})
        assert (done.status_code, done.json()) == (200, {"dropped": [item["id"]]})


@pytest.mark.parametrize("action", ["unpark", "drop"])
async def test_parked_rows_are_shown_sent_and_dropped(write_side, action):
    note = new_id()
    async with write_side.running() as http:
        await write_side.publish([command(CreateNote(note_id=note, title="T"))])
        await write_side.events(1)
    park = """
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, topic, shard, time, subject, sequence, parked_at,
                        parked_because)
    VALUES ($1::uuid, 'note', $2, 'notes.event.note-renamed.v1', '{}', $3, 0, now(), $2, 2, now(), 'too large')
    """
    await write_side.fetch(park, new_id(), note, write_side.settings.topic_events)
    async with write_side.running() as http:
        seen = (await http.get("/admin/outbox")).json()
        cli = json.loads((await told(write_side.settings, "outbox", "--json")).out)
        assert seen["rows"] == cli["rows"]
        assert (seen["parked"], seen["rows"][0]["aggregateid"], seen["rows"][0]["reason"]) == (1, note, "too large")
        with capture_logs() as log:
            done = await http.post(f"/admin/outbox/{action}", json={"note_id": note.upper()})
        sent = {"unparked": 1, "sent": 1, "waiting": 0, "parked": 0, "reason": None}
        counted = {"unpark": sent, "drop": {"dropped": 1}}
        assert (done.status_code, done.json()) == (200, {"note": note, **counted[action]})
        assert [line["act"] for line in acts(log)] == [f"POST /admin/outbox/{action}"]
        assert (await http.get("/admin/outbox")).json()["parked"] == 0
        nothing = await http.post("/admin/outbox/drop", json={"note_id": note})
        assert (nothing.status_code, nothing.json()) == (200, {"note": note, "dropped": 0})
        assert (await http.post("/admin/outbox/drop", json={"note_id": "\0"})).status_code == 422


async def test_the_command_line_says_in_the_log_who_did_it(write_side):
    async with write_side.running():
        await write_side.publish([Sent(b"k", b"{", [])])
        await write_side.dead_letters(1)
    done = await told(write_side.settings, "dead-letters", "drop", "--all")
    (line,) = [json.loads(line) for line in done.err.splitlines()]
    assert (line["event"], line["act"], line["result"], line["all"]) == (
        "administrative act", "dead-letters drop", "done", True,
    )  # fmt: skip
    assert line["who"]
