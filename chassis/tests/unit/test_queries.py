"""Parameters of administration: strict, and a store that hangs is not waited for."""

import asyncio
from typing import Annotated, Any

import httpx
import pytest
from fastapi import APIRouter, Query
from pydantic import Field

from notes_chassis.access.guard import Scopes
from notes_chassis.http import administration
from notes_chassis.http.administration import AdminRoute, PageQuery
from notes_chassis.http.app import App
from notes_chassis.http.openapi import ProblemDocs


class Asked(PageQuery):
    """A query whose parameter has another name."""

    subject: Annotated[str | None, Field(alias="note")] = None


def client_of(hangs: asyncio.Event | None = None) -> httpx.AsyncClient:
    router = APIRouter(route_class=AdminRoute)

    @router.get("/admin/list")
    async def some(query: Annotated[Asked, Query()]) -> Any:
        if hangs is not None:
            await hangs.wait()
        return {"limit": query.limit, "note": query.subject}

    @router.get("/admin/list/{id_}")
    async def one(id_: str) -> Any:
        return id_

    @router.post("/admin/act")
    async def act() -> Any:
        return "done"

    return asking(router, "/admin/list", "/admin/list/{id_}", "/admin/act")


def asking(router: APIRouter, *paths: str) -> httpx.AsyncClient:
    scopes = Scopes(dict.fromkeys(paths, "admin"))
    app = App([router], scopes, None, errors={}, problems=ProblemDocs({}, {}), schemas=dict)
    return httpx.AsyncClient(transport=httpx.ASGITransport(app, raise_app_exceptions=False), base_url="http://admin")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("note=a&note=b", "note"),
        ("limit=1&limit=2", "limit"),
        ("subject=a", "subject"),
        ("x=1", "x"),
        ("limit=1_0", "limit"),
        ("limit=0", "limit"),
        ("note=a&LIMIT=1", "LIMIT"),
    ],
)
async def test_a_parameter_that_is_unknown_repeated_or_wrong_is_refused(query: str, field: str) -> None:
    async with client_of() as http:
        answer = await http.get(f"/admin/list?{query}")
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid")
        assert [error["field"] for error in answer.json()["errors"]] == [field]
        assert answer.json()["detail"].startswith(f"{field}: ")


async def test_parameters_are_read_and_where_there_are_none_none_is_passed_over() -> None:
    async with client_of() as http:
        assert (await http.get("/admin/list?note=a&limit=3")).json() == {"limit": 3, "note": "a"}
        assert (await http.get("/admin/list/a")).json() == "a"
        assert (await http.post("/admin/act")).json() == "done"
        for answer in (await http.get("/admin/list/a?x=1"), await http.post("/admin/act?force=true")):
            assert (answer.status_code, answer.json()["code"]) == (422, "invalid")


async def test_a_store_that_hangs_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(administration, "ANSWER_S", 0.05)
    async with client_of(asyncio.Event()) as http, asyncio.timeout(5):
        answer = await http.get("/admin/list")
    assert (answer.status_code, answer.json()["code"], answer.headers["retry-after"]) == (503, "unavailable", "1")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_timeout_within_an_act_is_not_told_as_a_store_that_hangs(method: str) -> None:
    router = APIRouter(route_class=AdminRoute)

    @router.api_route("/admin/act", methods=[method])
    async def act() -> None:
        raise TimeoutError

    async with asking(router, "/admin/act") as http:
        answer = await http.request(method, "/admin/act")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")


async def test_what_fails_is_a_problem_too() -> None:
    router = APIRouter()

    @router.get("/fails")
    async def fails() -> None:
        raise RuntimeError("a note's text")

    async with asking(router, "/fails") as http:
        answer = await http.get("/fails")
    assert (answer.status_code, answer.json()["code"]) == (500, "internal")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "text" not in answer.text
