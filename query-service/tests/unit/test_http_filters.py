"""Filters of the list, its header, and the tags."""

import httpx
import pytest
from query_support.fixtures import Samples, Side

from notes_contracts import format_time
from notes_query.reads.count_tags import TagList


@pytest.fixture
async def notes(samples: Samples, side: Side) -> None:
    for minute, (name, author, tags) in enumerate(
        [("a", "ann", ("x",)), ("b", "ann", ("y", "x")), ("c", "bob", ("x",)), ("d", None, ()), ("e", "ann", ("x",))]
    ):
        at = format_time(samples.start.replace(minute=minute))
        created = samples.created(samples.id(name), occurred_at=at, title=name, author=author, tags=tags)
        await side.given([samples.record(created)])
    side.notes.documents[samples.id("e")]["status"] = "archived"


@pytest.mark.parametrize(
    ("query", "titles"),
    [
        ("tag=x", "cba"),
        ("tag=X", "cba"),
        ("tag=y", "b"),
        ("tag=z", ""),
        ("author=ann", "ba"),
        ("author=ANN", "ba"),
        ("author=ann&tag=y", "b"),
        ("author=bob&tag=y", ""),
        ("author=ann&tag=x&status=archived", "e"),
        ("author=ann&tag=x&status=all", "eba"),
    ],
)
async def test_filters_combine(notes: None, client: httpx.AsyncClient, query: str, titles: str):
    answer = await client.get(f"/notes?{query}")

    assert "".join(item["title"] for item in answer.json()["items"]) == titles


@pytest.mark.parametrize("other", ["", "tag=y", "tag=x&author=ann", "tag=x&status=all"])
async def test_a_cursor_goes_on_in_its_own_list_alone(notes: None, client: httpx.AsyncClient, other: str):
    cursor = (await client.get("/notes?tag=x&limit=1")).json()["next_cursor"]

    assert (await client.get(f"/notes?tag=X&limit=2&cursor={cursor}")).json()["items"][0]["title"] == "b"
    answer = await client.get(f"/notes?{other}&limit=1&cursor={cursor}")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_lists_say_how_far_the_projection_lags_if_that_is_known(
    samples: Samples, notes: None, client: httpx.AsyncClient
):
    lags = {
        path: (await client.get(path)).headers.get("projection-lag")
        for path in ("/notes", "/tags", "/notes/search?q=x", f"/notes/{samples.id('a')}/history")
    }

    assert list(lags.values()) == ["1.3", "1.3", None, "0.0"]


async def test_tags_of_active_notes_are_counted(notes: None, client: httpx.AsyncClient):
    answer = await client.get("/tags")

    TagList.model_validate_json(answer.content)
    assert answer.json() == {"items": [{"tag": "x", "count": 3}, {"tag": "y", "count": 1}]}
