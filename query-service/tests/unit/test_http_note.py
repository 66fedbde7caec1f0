import asyncio

import httpx
import pytest
from query_support.fixtures import Samples, Side

from notes_query.reads.get_note import NoteView
from tests.harness.waiting import eventually


async def test_a_note_is_what_the_contract_says(samples: Samples, side: Side, client: httpx.AsyncClient):
    body = "word " * 30
    await side.given([samples.record(samples.created(body=body)), samples.record(samples.updated(body=body + "é"))])

    answer = await client.get(f"/notes/{samples.note}")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["etag"] == '"2"'
    assert "consistency" not in answer.headers
    assert answer.json() == {
        "id": samples.note,
        "title": "A title",
        "preview": body[:100],
        "word_count": 31,
        "tags": ["one", "two"],
        "author": "someone",
        "status": "active",
        "version": 2,
        "created_at": "2026-01-02T03:04:05.679Z",
        "updated_at": "2026-01-02T03:04:05.680Z",
    }
    assert list(answer.json()) == list(NoteView.model_fields)
    NoteView.model_validate_json(answer.content)


async def test_ids_are_read_in_any_case(samples: Samples, side: Side, client: httpx.AsyncClient):
    await side.given([samples.record(samples.created())])

    answer = await client.get(f"/notes/{samples.note.upper()}")

    assert answer.json()["id"] == samples.note


@pytest.mark.parametrize("text", ["x", "0f8fad5bd9cb469fa16570867728950e", "{0f8fad5b-d9cb-469f-a165-70867728950e}"])
async def test_what_is_no_dashed_uuid_is_invalid(client: httpx.AsyncClient, text: str):
    answer = await client.get(f"/notes/{text}")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "invalid"
    assert [error["field"] for error in answer.json()["errors"]] == ["note_id"]


async def test_an_unknown_note_is_not_found(samples: Samples, client: httpx.AsyncClient):
    answer = await client.get(f"/notes/{samples.note}")

    assert answer.status_code == 404
    assert answer.json() == {
        "type": "about:blank",
        "title": "Not Found",
        "status": 404,
        "code": "note_not_found",
        "detail": f"No note {samples.note} is known here.",
    }


async def test_a_deleted_note_is_gone_and_an_archived_one_is_not(
    samples: Samples, side: Side, client: httpx.AsyncClient
):
    for status, code in (("deleted", 410), ("archived", 200), ("unknown", 404)):
        side.notes.documents[samples.note] = {**samples.document(samples.created()), "status": status}
        answer = await client.get(f"/notes/{samples.note}")
        assert answer.status_code == code
        assert answer.json().get("code") == {410: "note_deleted", 404: "note_not_found"}.get(code)


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ('"1"', 304),
        ('W/"1"', 304),
        ("*", 304),
        ('"7", W/"1" ,"x"', 304),
        ('"7","2"', 200),
        ('"11"', 200),
        ("1", 200),
        ("", 200),
        ('"*"', 200),
    ],
)
async def test_a_version_that_the_reader_has_is_not_sent_again(
    samples: Samples, side: Side, client: httpx.AsyncClient, sent: str, status: int
):
    await side.given([samples.record(samples.created())])

    answer = await client.get(f"/notes/{samples.note}", headers={"If-None-Match": sent})

    assert answer.status_code == status
    assert answer.headers["etag"] == '"1"'
    assert bool(answer.content) == (status == 200)


async def test_every_line_of_if_none_match_counts(samples: Samples, side: Side, client: httpx.AsyncClient):
    await side.given([samples.record(samples.created())])

    for lines, status in (('"7"', '"1"'), 304), (('"1"', '"7"'), 304), (('"7"', "*"), 304), (('"7"', '"8"'), 200):
        headers = [("If-None-Match", line) for line in lines]
        assert (await client.get(f"/notes/{samples.note}", headers=headers)).status_code == status


async def test_the_wait_comes_before_if_none_match(samples: Samples, side: Side, client: httpx.AsyncClient):
    await side.given([samples.record(samples.created())])
    asked = asyncio.create_task(
        client.get(f"/notes/{samples.note}?min_version=2&wait=9.5", headers={"If-None-Match": '"1"'})
    )
    await eventually(lambda: side.waiters)
    await side.given([samples.record(samples.updated())])

    answer = await asked

    assert (answer.status_code, answer.headers["etag"], answer.headers["consistency"]) == (200, '"2"', "current")


async def test_consistency_is_told(samples: Samples, side: Side, client: httpx.AsyncClient):
    await side.given([samples.record(samples.created()), samples.record(samples.updated(samples.other))])

    async def told(path: str) -> tuple[int, str | None]:
        answer = await client.get(f"/notes/{path}")
        return answer.status_code, answer.headers.get("consistency")

    assert await told(f"{samples.note}?min_version=1") == (200, "current")
    assert await told(f"{samples.note}?min_version=2&wait=0.01") == (200, "stale")
    assert await told(f"{samples.id('?')}?min_version=2&wait=0") == (404, "stale")
    assert await told(samples.other) == (404, "parked")
    await side.given([samples.record(samples.updated(version=3))])
    assert await told(samples.note) == (200, "parked")


async def test_every_parameter_at_fault_is_named(samples: Samples, client: httpx.AsyncClient):
    for query in ("min_version=x&wait=-1", "min_version=-1&wait=nan", "min_version=1.5&wait=inf", "min_version=&wait="):
        answer = await client.get(f"/notes/{samples.note}?{query}")
        assert answer.status_code == 422
        assert {error["field"] for error in answer.json()["errors"]} == {"min_version", "wait"}
