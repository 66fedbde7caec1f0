from typing import Any

import httpx
import pytest
from query_support.fixtures import Samples, Side

from notes_contracts import format_time
from notes_query.reads.list_notes import NotePage


def created(samples: Samples, name: str, minute: int) -> Any:
    at = format_time(samples.start.replace(minute=minute))
    return samples.record(samples.created(samples.id(name), occurred_at=at, title=name))


async def titles(client: httpx.AsyncClient, query: str = "") -> tuple[list[str], str | None]:
    answer = await client.get(f"/notes?{query}")
    assert answer.status_code == 200
    NotePage.model_validate_json(answer.content)
    return [item["title"] for item in answer.json()["items"]], answer.json()["next_cursor"]


async def test_an_item_is_what_the_contract_says(samples: Samples, side: Side, client: httpx.AsyncClient):
    await side.given([samples.record(samples.created())])

    answer = await client.get("/notes")

    assert answer.json() == {
        "items": [
            {
                "id": samples.note,
                "title": "A title",
                "tags": ["one", "two"],
                "status": "active",
                "version": 1,
                "updated_at": "2026-01-02T03:04:05.679Z",
            }
        ],
        "next_cursor": None,
    }


async def test_pages_follow_creation_and_id_downwards_and_end(samples: Samples, side: Side, client: httpx.AsyncClient):
    same_time = sorted(["b", "c", "d"], key=samples.id, reverse=True)
    await side.given([created(samples, "a", 1), *(created(samples, n, 2) for n in same_time), created(samples, "e", 3)])

    seen, cursor = await titles(client, "limit=2")
    pages = [seen]
    while cursor is not None:
        seen, cursor = await titles(client, f"limit=2&cursor={cursor}")
        pages.append(seen)

    assert pages == [["e", same_time[0]], same_time[1:], ["a"]]
    assert (await titles(client, "limit=5"))[1] is None


async def test_what_changes_between_pages_neither_skips_nor_repeats(
    samples: Samples, side: Side, client: httpx.AsyncClient
):
    await side.given([created(samples, name, minute) for minute, name in enumerate("abcd")])
    first, cursor = await titles(client, "limit=2")

    await side.given([created(samples, "new", 30), samples.record(samples.updated(samples.id("b")))])
    second, cursor = await titles(client, f"limit=2&cursor={cursor}")

    assert (first, second, cursor) == (["d", "c"], ["b", "a"], None)


async def test_status_chooses_and_the_deleted_and_the_unknown_never_show(
    samples: Samples, side: Side, client: httpx.AsyncClient
):
    for minute, status in enumerate(("active", "archived", "deleted", "unknown")):
        await side.given([created(samples, status, minute)])
        side.notes.documents[samples.id(status)]["status"] = status

    assert (await titles(client))[0] == ["active"]
    assert (await titles(client, "status=active"))[0] == ["active"]
    assert (await titles(client, "status=archived"))[0] == ["archived"]
    assert (await titles(client, "status=all"))[0] == ["archived", "active"]


@pytest.mark.parametrize("limit", ["0", "201", "x", "1.5", ""])
async def test_a_limit_out_of_bounds_is_invalid(client: httpx.AsyncClient, limit: str):
    answer = await client.get(f"/notes?limit={limit}&status=deleted")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
    assert [error["field"] for error in answer.json()["errors"]] == ["limit", "status"]


async def test_limits_in_bounds_and_the_default(samples: Samples, side: Side, client: httpx.AsyncClient):
    await side.given([created(samples, f"{number}", number % 60) for number in range(201)])

    for query, number in (("limit=1", 1), ("limit=200", 200), ("", 50)):
        found, cursor = await titles(client, query)
        assert len(found) == number
        assert cursor is not None


async def test_a_bad_cursor_is_told_apart(client: httpx.AsyncClient):
    answer = await client.get("/notes?cursor=nonsense")

    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
