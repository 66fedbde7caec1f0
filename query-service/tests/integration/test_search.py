"""Searching, on MongoDB's own text index."""

import asyncio
from collections.abc import AsyncIterator
from concurrent.futures import wait
from contextlib import asynccontextmanager
from threading import Event
from typing import Any
from unicodedata import normalize

import httpx
import pytest
from fastapi import FastAPI
from motor.frameworks import asyncio as asyncio_of_motor
from query_support.fixed_serving import FixedServing
from query_support.fixtures import Database, Samples
from query_support.searching import FOUND, SENTENCES, search, titles

from notes_query.composition.http_app import make_app
from notes_query.errors import StoreUnavailable
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.fold_store import FoldStore
from notes_query.projecting.record_outcomes import OutcomeStore
from notes_query.projecting.waiters import COMMANDS, Waiters
from notes_query.projections import READ_MODELS
from notes_query.projections.search import evolve
from notes_query.reads.routers import read_routers
from notes_query.reads.share import Share
from notes_query.settings import Settings
from tests.harness.waiting import eventually


@asynccontextmanager
async def nothing_to_run(_: FastAPI) -> AsyncIterator[None]:
    yield


@pytest.fixture
async def client(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    routers = read_routers(
        Settings(),
        database,
        FixedServing({name: f"{name}_v{one.version}_1" for name, one in READ_MODELS.items()}),
        OutcomeStore(database),
        waiters={name: Waiters() for name in (*READ_MODELS, COMMANDS)},
        lag={"notes": lambda: 0.0, "background": lambda: 2.0},
        command_service=None,
    )
    transport = httpx.ASGITransport(make_app(routers, nothing_to_run, "1.0.0"))
    async with httpx.AsyncClient(transport=transport, base_url="http://query") as client:
        yield client


@pytest.fixture
def given(samples: Samples, database: Database) -> Any:
    async def given(*names: str, **changes: Any) -> None:
        documents, notes = [], []
        for name in names:
            message = samples.created(samples.id(name), **{"title": name, "body": "", "tags": ()} | changes)
            documents.append(evolve(None, samples.event(message)))
            notes.append(samples.document(message))
        await FoldStore(database, "search_v2_1").write(Writes(inserts=documents))
        await FoldStore(database, "notes_v2_1").write(Writes(inserts=notes))

    return given


async def test_title_comes_before_tags_and_tags_before_body(given: Any, client: httpx.AsyncClient):
    await given("in the body", body="some bread and more")
    await given("bread first")
    await given("in the tags", tags=("bread",))
    await given("not at all", body="something else")

    assert await titles(client, "bread") == ["bread first", "in the tags", "in the body"]


async def test_a_result_is_a_summary_with_the_matching_piece(samples: Samples, given: Any, client: httpx.AsyncClient):
    await given("one", body="filler " * 100 + "the Needle & <b>", tags=("t",))

    answer = await client.get("/notes/search?q=needle")

    (item,) = answer.json()["items"]
    assert item.pop("snippet").endswith("filler the Needle & <b>")
    assert item == {
        "id": samples.id("one"),
        "title": "one",
        "tags": ["t"],
        "status": "active",
        "version": 1,
        "updated_at": "2026-01-02T03:04:05.679Z",
    }
    assert answer.headers["projection-lag"] == "2.0"


async def test_pages_end_and_neither_skip_nor_repeat(given: Any, client: httpx.AsyncClient):
    names = [f"n{number}" for number in range(25)]
    await given(*names[:20], body="bread")  # all of one score
    await given(*names[20:], body="bread bread butter")

    seen: list[str] = []
    cursor: dict[str, str] = {}
    while cursor is not None:
        page = await search(client, "bread butter", limit=4, **cursor)
        seen += [item["title"] for item in page["items"]]
        await given(f"new {len(seen)}", body="bread")
        cursor = {"cursor": page["next_cursor"]} if page["next_cursor"] else None

    old = [title for title in seen if not title.startswith("new")]
    assert set(old[:5]) == set(names[20:])
    assert sorted(old) == sorted(names)
    assert len(seen) == len(set(seen))


async def test_a_cursor_belongs_to_its_words(given: Any, client: httpx.AsyncClient):
    await given("a", "b", body="bread butter")
    cursor = (await search(client, "bread butter", limit=1))["next_cursor"]

    assert len(await titles(client, "BUTTER, bread!", limit=1, cursor=cursor)) == 1
    answer = await client.get("/notes/search", params={"q": "bread", "cursor": cursor})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")


async def test_archived_notes_are_found_deleted_ones_not(samples: Samples, given: Any, database: Database, client: Any):
    await given("archived", "deleted", body="bread")
    for name in ("archived", "deleted"):
        await database["notes_v2_1"].update_one({"_id": samples.id(name)}, {"$set": {"status": name}})

    assert await titles(client, "bread") == ["archived"]


async def test_a_note_is_shown_as_it_is_however_far_the_search_documents_lag(
    samples: Samples, given: Any, database: Database, client: Any
):
    await given("a secret title", body="bread and another secret")
    await database["notes_v2_1"].update_one(
        {"_id": samples.id("a secret title")}, {"$set": {"title": "plain", "body": "bread alone", "version": 3}}
    )

    (item,) = (await search(client, "bread"))["items"]

    assert (item["title"], item["snippet"], item["version"]) == ("plain", "bread alone", 3)


async def test_searches_take_no_thread_from_reads_by_id(given: Any, client: httpx.AsyncClient, samples: Samples):
    await given("one", body="bread")
    let_go, taken = Event(), []
    try:
        taken += [
            asyncio_of_motor._EXECUTOR.submit(let_go.wait) for _ in range(asyncio_of_motor._EXECUTOR._max_workers)
        ]
        async with asyncio.timeout(5):
            assert await titles(client, "bread") == ["one"]
            assert (await client.get("/tags")).status_code == 200
    finally:
        let_go.set()
    wait(taken)
    assert (await client.get(f"/notes/{samples.id('one')}")).status_code == 200


async def test_a_read_that_takes_too_long_ends_in_mongodb_too(database: Database):
    await database["slow"].insert_one({"_id": 1})
    share = Share("searches", 1, 0.2)

    with pytest.raises(StoreUnavailable):
        await share.run(lambda: list(database["slow"].delegate.find({"$where": "sleep(60000) || true"})))

    ours = [{"$currentOp": {}}, {"$match": {"ns": database["slow"].full_name, "active": True}}]
    await eventually(lambda: database.client.admin.aggregate(ours).to_list(None), lambda found: not found)


AROUND = ("kase", "KÄSE", '"käse"', "-käse", "käse -brot", "{$ne: käse}", "käse\\", "x käse", "käse\0")
NOWHERE = ("-", '"', '""', '"" ""', "--", "$where", "\\", '\\"', "the", "_", "?!", "\0", "%", "'", "💩", "́", "a" * 256)


async def test_whatever_is_around_a_word_is_no_operator(given: Any, client: httpx.AsyncClient):
    await given("found", body="Brot und Käse")

    assert {q: await titles(client, q) for q in AROUND} == {q: ["found"] for q in AROUND}


async def test_what_finds_nothing_is_an_empty_page(given: Any, client: httpx.AsyncClient):
    await given("something", body="Brot und Käse")

    for q in NOWHERE:
        assert await search(client, q) == {"items": [], "next_cursor": None}, q


async def test_every_language_is_treated_alike(given: Any, client: httpx.AsyncClient):
    words = ("not", "und", "the", "हिन्दी", "日本語", "ΣΊΣΥΦΟΣ", "x86")
    for number, word in enumerate(words):
        await given(word, title=f"n{number}", body=f"a {word} b")

    assert [await titles(client, word.lower()) for word in words] == [[f"n{number}"] for number in range(len(words))]


@pytest.mark.parametrize("stored", ["NFC", "NFD"])
async def test_words_are_found_however_they_are_written(given: Any, client: httpx.AsyncClient, stored: Any):
    for name, body in SENTENCES.items():
        await given(name, title=name, body=normalize(stored, body))

    for form in ("NFC", "NFD"):
        found = {q: sorted(await titles(client, normalize(form, q))) for q in FOUND}
        assert found == FOUND, form


async def test_filters_hold_whatever_lags(samples: Samples, given: Any, database: Database, client: httpx.AsyncClient):
    await given("one", body="bread", tags=("x",), author="Jose\u0301")
    await given("two", body="bread", tags=("x", "y"), author="someone")
    await given("three", body="bread", tags=("z",), author=None)
    notes, documents = database["notes_v2_1"], database["search_v2_1"]
    for collection in (notes, documents):
        await collection.update_one({"_id": samples.id("two")}, {"$set": {"status": "archived"}})

    for parameters, expected in (
        ({}, ["one", "three", "two"]),
        ({"status": "all"}, ["one", "three", "two"]),
        ({"status": "active"}, ["one", "three"]),
        ({"status": "archived"}, ["two"]),
        ({"tag": "X"}, ["one", "two"]),
        ({"tag": "x", "status": "active"}, ["one"]),
        ({"author": "JOSÉ"}, ["one"]),
        ({"author": "jose"}, []),
        ({"author": "someone", "tag": "y", "status": "archived"}, ["two"]),
    ):
        assert sorted(await titles(client, "bread", **parameters)) == expected, parameters
    first = await search(client, "bread", tag="x", limit=1)
    second = await search(client, "bread", tag="x", limit=1, cursor=first["next_cursor"])
    assert {first["items"][0]["title"], second["items"][0]["title"]} == {"one", "two"}
    answer = await client.get("/notes/search", params={"q": "bread", "tag": "y", "cursor": first["next_cursor"]})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")

    # The search documents lag: what is shown is what the notes are now.
    await notes.update_one({"_id": samples.id("one")}, {"$set": {"status": "deleted"}})
    await notes.update_one({"_id": samples.id("two")}, {"$set": {"tags": ["z"]}})
    assert await titles(client, "bread", tag="x") == []
    assert sorted(await titles(client, "bread")) == ["three", "two"]


async def test_long_notes_are_found_and_shown_in_time(client: httpx.AsyncClient, given: Any):
    """What is shown of them takes a part of each, and no search fails for it."""
    names = [f"{number}" for number in range(40)]
    await given(*names, body="ß lorem ipsum " * 7_100 + "zebra")
    items = (await search(client, "zebra", limit=40))["items"]
    assert len(items) == 40
    assert {item["snippet"][:7] for item in items} == {"ß lorem"}

    await given("far", body="ß " * 10_000 + "giraffe " + "ß " * 30_000)
    (item,) = (await search(client, "giraffe"))["items"]
    assert "giraffe" in item["snippet"]
    assert (item["snippet"][0], item["snippet"][-1]) == ("…", "…")
