"""Requests are timed by route: as many series as there are routes, however many paths are asked for."""

from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from query_support.fixtures import Samples
from starlette.responses import Response

from notes_chassis.http.answers import Answers
from notes_query.monitoring import metrics


@pytest.fixture
def small() -> FastAPI:
    app, router = FastAPI(), APIRouter()

    async def plain(request: Any) -> Response:
        return Response(request.path_params["id"])

    app.router.add_route("/timed/{id}", plain)

    @router.get("/bug")
    async def bug() -> None:
        raise ZeroDivisionError

    app.include_router(router)
    app.add_middleware(Answers, metrics.REQUEST_SECONDS)
    return app


def client_of(app: FastAPI) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://query")


def count(route: str, status: str) -> float:
    found = [
        sample.value
        for family in metrics.REQUEST_SECONDS.collect()
        for sample in family.samples
        if sample.name.endswith("_count") and sample.labels == {"route": route, "status": status}
    ]
    return sum(found)


async def test_by_the_routes_template_and_the_status(small: FastAPI):
    places = (("/timed/{id}", "200"), ("none", "404"), ("/bug", "500"))
    before = [count(*place) for place in places]

    async with client_of(small) as client:
        for path in ("/timed/1", "/timed/2", "/nothing/1", "/nothing/2", "/bug"):
            await client.get(path)

    assert [count(*place) - had for place, had in zip(places, before, strict=True)] == [2, 2, 1]


async def test_the_routes_of_the_service(app: FastAPI, samples: Samples):
    places = (("/notes/{note_id}", "404"), ("/notes", "200"))
    before = [count(*place) for place in places]

    async with client_of(app) as client:
        await client.get(f"/notes/{samples.note}")
        await client.get("/notes")
        await client.head("/notes")

    assert [count(*place) - had for place, had in zip(places, before, strict=True)] == [1, 2]
