"""The pages for people: /docs and /asyncapi work without the Internet, and nothing on them publishes."""

import re
from collections.abc import Callable

import httpx
import pytest
from fastapi import FastAPI
from starlette.routing import Route

import notes_command.app
import notes_command.settings
import notes_query.app
import notes_query.settings
from notes_contracts import TOPICS

APPS: dict[str, Callable[[], FastAPI]] = {
    "command": lambda: notes_command.app.build(notes_command.settings.Settings.model_construct(auth="none"))[0],
    "query": lambda: notes_query.app.build(notes_query.settings.Settings.model_construct(auth="none"))[0],
}
SOURCE = re.compile(r"""(?:src|href)=["']([^"']+)""")


@pytest.fixture(params=APPS)
async def client(request: pytest.FixtureRequest) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(APPS[request.param]())
    return httpx.AsyncClient(transport=transport, base_url="http://service", headers={"Accept": "text/html"})


@pytest.mark.parametrize("path", ["/docs", "/asyncapi"])
async def test_a_page_loads_nothing_from_elsewhere(client: httpx.AsyncClient, path: str) -> None:
    page = await client.get(path)
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    sources = SOURCE.findall(page.text)
    assert sources
    for source in sources:
        assert "//" not in source
        assert (await client.get(f"/{source}")).status_code == 200


async def test_the_page_of_messages_shows_topics_headers_and_messages(client: httpx.AsyncClient) -> None:
    page = (await client.get("/asyncapi")).text
    document = (await client.get("/asyncapi.json")).json()
    assert document["asyncapi"] == "3.0.0"
    addresses = {channel["address"] for channel in document["channels"].values()}
    assert addresses <= {topic.name for topic in TOPICS}
    headers = {
        header
        for name, schema in document["components"]["schemas"].items()
        if name.endswith("Headers")
        for header in schema["properties"]
    }
    for text in [*addresses, *headers, *document["components"]["messages"]]:
        assert text in page
    assert "<script" not in page


async def test_who_does_not_ask_for_a_page_gets_the_document(client: httpx.AsyncClient) -> None:
    document = await client.get("/asyncapi", headers={"Accept": "*/*"})
    assert document.json() == (await client.get("/asyncapi.json")).json()


async def test_nothing_can_be_published_from_it(client: httpx.AsyncClient) -> None:
    for path in ("/asyncapi", "/asyncapi/try", "/asyncapi.json"):
        assert (await client.post(path, json={})).status_code in (404, 405)


@pytest.mark.parametrize(
    ("service", "path", "at_most"), [("query", "/notes/{note_id}", 3), ("command", "/commands/create-note", 1)]
)
async def test_what_is_asked_for_most_is_looked_at_first(service: str, path: str, at_most: int) -> None:
    """Each route before it costs every request a regular expression."""
    paths = [route.path for route in APPS[service]().routes if isinstance(route, Route)]
    assert paths.index(path) <= at_most, paths
