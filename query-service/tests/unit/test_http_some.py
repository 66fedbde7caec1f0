"""`GET /notes?id=…&id=…`: these notes, in this order."""

from typing import Any

import httpx
import pytest
from query_support.fixtures import Samples, Side

from notes_query.reads.list_notes import IDS_MAX


@pytest.fixture
async def ids(samples: Samples, side: Side) -> list[str]:
    ids = [samples.id(name) for name in "abcde"]
    await side.given([samples.record(samples.created(id_, title=name)) for id_, name in zip(ids, "abcde", strict=True)])
    side.notes.documents[ids[1]]["status"] = "archived"
    side.notes.documents[ids[2]]["status"] = "deleted"
    side.notes.documents[ids[3]]["tags"] = ["x"]
    return ids


async def asked(client: httpx.AsyncClient, ids: list[str], **more: str) -> Any:
    answer = await client.get("/notes", params=[*(("id", id_) for id_ in ids), *more.items()])
    return answer.status_code, answer.json()


async def test_they_come_in_the_order_they_are_asked_for_without_what_is_not_there(
    samples: Samples, ids: list[str], client: httpx.AsyncClient
):
    wanted = [ids[4], samples.id("unknown"), ids[1].upper(), ids[2], ids[0], ids[4]]

    status, body = await asked(client, wanted)

    assert status == 200
    assert ([item["title"] for item in body["items"]], body["next_cursor"]) == (["e", "b", "a"], None)
    assert [item["title"] for item in (await asked(client, ids[:1]))[1]["items"]] == ["a"]


@pytest.mark.parametrize(
    ("more", "titles"),
    [({"status": "active"}, "ade"), ({"status": "archived"}, "b"), ({"status": "all"}, "abde"), ({"tag": "x"}, "d")],
)
async def test_filters_hold(ids: list[str], client: httpx.AsyncClient, more: dict[str, str], titles: str):
    assert "".join(item["title"] for item in (await asked(client, ids, **more))[1]["items"]) == titles


async def test_what_does_not_hold_is_named(samples: Samples, client: httpx.AsyncClient):
    many = [samples.id(f"{number}") for number in range(IDS_MAX + 1)]

    assert (await asked(client, many[:-1]))[0] == 200
    for ids, more, field in (
        (many, {}, "id"),
        (["x"], {}, "id"),
        ([""], {}, "id"),
        (["x"] * 100, {}, "id"),
        (many[:1], {"cursor": "x"}, "cursor"),
        (many[:1], {"limit": "10"}, "limit"),
        (many[:1], {"author": "a", "Author": "b"}, "Author"),
    ):
        status, body = await asked(client, ids, **more)
        assert (status, body["code"]) == (422, "invalid")
        assert {error["field"] for error in body["errors"]} == {field}
        assert len(body["errors"]) <= 20
    twice = await client.get("/notes?tag=a&tag=b")
    assert twice.status_code == 422
