"""Whatever a client sends, the answer is a problem with a code, and nothing of it reaches a store."""

import httpx
import pytest
from query_support.fixtures import Samples, Side

ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
LONG = "x" * 10_000

INVALID = [
    "/notes/x",
    "/notes/1",
    "/notes/%00",
    f"/notes/{ID}x",
    f"/notes/{ID}%0a",
    "/notes/x/body",
    "/notes/x/history",
    "/commands/x",
    f"/notes/{ID}?min_version[$gt]=1",
    f"/notes/{ID}?min_version=99999999999999999999",
    f"/notes/{ID}?min_version={'9' * 5000}",
    f"/notes/{ID}?min_version=1.0",
    f"/notes/{ID}?min_version=1_0",
    f"/notes/{ID}?min_version=%2B1",
    f"/notes/{ID}?min_version=%201",
    f"/notes/{ID}?min_version=",
    f"/notes/{ID}?on_stale=anything",
    f"/notes/{ID}?min_verison=2",
    f"/notes/{ID}/body?version=1",
    f"/notes/{ID}/history?limit=0",
    f"/notes/{ID}/history?limit=201",
    f"/notes/{ID}/history?after_version=-1",
    f"/notes/{ID}/history?after_version={2**63}",
    f"/notes/{ID}/history?after_version=1&after_version=2",
    f"/notes/{ID}/history?after_version=1_0",
    "/notes?limit=1_0",
    "/notes?limit=5.0",
    "/notes?limit=201",
    "/notes?limit=99999999999999999999",
    f"/notes?limit={'9' * 5000}",
    "/notes?limit=1e1",
    "/notes?limit=10&limit=20",
    "/notes?tag[$ne]=x",
    "/notes?tag=$ne",
    "/notes?tag=%7B%22$ne%22:1%7D",
    "/notes?tag=a&tag=b",
    "/notes?tag=",
    "/notes?tag=%00",
    f"/notes?tag={'x' * 33}",
    "/notes?author=",
    "/notes?author=a%00b",
    f"/notes?author={LONG}",
    "/notes?status=deleted",
    "/notes?status[$in]=deleted",
    "/notes?%24where=sleep(1000)",
    "/notes/search",
    "/notes/search?q=",
    f"/notes/search?q={LONG}",
    "/notes/search?q[$regex]=.*",
    "/notes/search?q=a&q=b",
    "/notes/search?q=" + "+".join(f"w{number}" for number in range(17)),
    "/notes/search?q=" + "_".join("abcdefghijklmnopq"),
    "/notes/search?q=a&limit=201",
    "/tags?limit=1",
    f"/commands/{ID}?wait=-1",
    f"/commands/{ID}?wait=nan",
]


async def test_what_does_not_hold_is_invalid_and_names_the_field(client: httpx.AsyncClient):
    for target in INVALID:
        answer = await client.get(target)

        assert (answer.status_code, answer.json()["code"]) == (422, "invalid"), target
        assert answer.headers["content-type"] == "application/problem+json", target
        assert all(error["field"] and error["message"] for error in answer.json()["errors"]), target
        assert len(answer.content) < 1000, target


@pytest.mark.parametrize("path", ["/notes?", "/notes/search?q=x&"])
async def test_what_is_no_cursor_is_told_apart(client: httpx.AsyncClient, path: str):
    for cursor in ("", "x", "%00", "$ne", LONG, "AAAA", "%F0%9F%92%A9", "null"):
        answer = await client.get(f"{path}cursor={cursor}")

        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor"), cursor
        assert answer.headers["content-type"] == "application/problem+json", cursor


@pytest.mark.parametrize("if_none_match", ['"' * 5000, "W/" * 5000, '"1' + ", " * 5000, "\\", '"\x7f"'])
async def test_an_odd_if_none_match_matches_nothing(
    samples: Samples, side: Side, client: httpx.AsyncClient, if_none_match: str
):
    await side.given([samples.record(samples.created())])

    answer = await client.get(f"/notes/{samples.note}", headers={"If-None-Match": if_none_match})

    assert answer.status_code == 200


async def test_a_body_is_not_looked_at(samples: Samples, side: Side, client: httpx.AsyncClient):
    await side.given([samples.record(samples.created())])

    answer = await client.request("GET", f"/notes/{samples.note}", content=b"{" * 100_000)

    assert answer.status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
async def test_there_is_nothing_to_write_here(client: httpx.AsyncClient, method: str):
    for path in ("/notes", f"/notes/{ID}", "/notes/search", f"/notes/{ID}/history", "/tags"):
        answer = await client.request(method, path)

        assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed"), path
