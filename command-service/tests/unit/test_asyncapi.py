"""The description of the messages, and what must not come with it."""

import httpx
import pytest

from notes_chassis.http.openapi import asyncapi_routes
from notes_command.gateway.app import asyncapi_document, create_app
from notes_command.settings import Settings
from notes_contracts.asyncapi import page


@pytest.fixture
def client() -> httpx.AsyncClient:
    document = asyncapi_document(Settings(topic_commands="some.commands"))
    app = create_app([asyncapi_routes(document, page(document))])
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://command")


async def test_every_topic_is_described_under_its_own_name(client: httpx.AsyncClient) -> None:
    channels = (await client.get("/asyncapi")).json()["channels"].values()
    addresses = {channel["address"] for channel in channels}
    assert addresses == {"some.commands", "notes.events", "notes.command-outcomes", "notes.commands.dead-letters"}


async def test_a_browser_gets_a_page_without_anything_that_publishes(client: httpx.AsyncClient) -> None:
    """The trap: FastStream's page mounts an unauthenticated POST that swaps the live producer."""
    page = await client.get("/asyncapi", headers={"Accept": "text/html"})
    assert page.headers["content-type"].startswith("text/html")
    assert "asyncapi/try" not in page.text
    for path in ("/asyncapi/try", "/asyncapi"):
        assert (await client.post(path, json={})).status_code in (404, 405)
