"""Nobody without a token of the right scope reads anything, on any route."""

import re
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request
from query_support.memory_outcomes import MemoryOutcomes

from notes_chassis.access.guard import OPEN, caller_of
from notes_query.composition.http_app import SCOPES, make_app, metrics_route
from notes_query.projecting.waiters import Waiters
from notes_query.reads.after import AfterCommand, Stored
from notes_query.reads.get_note import Answer, note_route
from tests.harness.issuing import Issuer, bad_tokens
from tests.harness.odd_paths import differently_seen

ALL = "notes.read notes.write notes.admin"
ID = "0f8fad5b-d9cb-469f-a165-70867728950e"
CLOSED = [path for path, scope in SCOPES.paths.items() if scope is not OPEN]


@pytest.fixture
async def issuer() -> Issuer:
    issuer = Issuer()
    await issuer.signing.look()
    return issuer


@pytest.fixture
async def closed(app: FastAPI, issuer: Issuer) -> AsyncIterator[httpx.AsyncClient]:
    """The same routes behind the guard, and one for what the app of the unit tests lacks."""
    rest = APIRouter()

    async def changes(request: Request) -> str:
        return str(caller_of(request.scope))

    rest.add_api_route("/notes/changes", changes)
    routed = APIRouter()
    routed.routes.extend([*rest.routes, *(route for route in app.routes if "docs" not in getattr(route, "path", ""))])
    guarded = make_app([routed], app.router.lifespan_context, "1.0.0", issuer.tokens)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(guarded), base_url="http://query") as client:
        yield client


async def ask(client: httpx.AsyncClient, path: str, token: str | None, method: str = "GET") -> Any:
    named = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await client.request(method, re.sub(r"\{\w+\}", ID, path), headers=named)


async def test_every_bad_token_is_refused_on_every_route(closed: httpx.AsyncClient, issuer: Issuer) -> None:
    bad = bad_tokens(issuer)
    for path in CLOSED:
        for method in ("GET", "POST", "HEAD", "DELETE"):
            answer = await ask(closed, path, None, method)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="notes"')
        for name, token in bad.items():
            answer = await ask(closed, path, token)
            assert (answer.status_code, answer.json()["code"]) == (401, "unauthenticated"), (path, name)
            assert answer.headers["www-authenticate"].startswith('Bearer realm="notes", error="invalid_token"')


async def test_too_small_a_scope_is_forbidden_on_every_route(closed: httpx.AsyncClient, issuer: Issuer) -> None:
    for path in CLOSED:
        needed = SCOPES.paths[path]
        answer = await ask(closed, path, issuer.token(scope=ALL.replace(needed, "")).decode())
        assert (answer.status_code, answer.json()["code"]) == (403, "forbidden"), path
        assert f'scope="{needed}"' in answer.headers["www-authenticate"]
        answer = await ask(closed, path, issuer.token(scope=needed).decode())
        assert answer.status_code not in (401, 403), path


async def test_table_and_router_see_the_same_path(app: FastAPI, issuer: Issuer) -> None:
    assert await differently_seen(app, SCOPES, issuer.token()) == []


async def test_the_write_store_is_asked_with_a_token_that_was_checked_and_no_other(
    app: FastAPI, issuer: Issuer
) -> None:
    forwarded: list[str | None] = []

    async def get_note(*asked: Any, **_: Any) -> Answer:
        forwarded.append(asked[-1])
        return Answer(None, None)

    after = AfterCommand(Stored(Waiters(), MemoryOutcomes().many, 5), {})
    for tokens in (issuer.tokens, None):
        behind = make_app([note_route(get_note, after)], app.router.lifespan_context, "1.0.0", tokens)
        async with httpx.AsyncClient(transport=httpx.ASGITransport(behind), base_url="http://query") as client:
            for value in (b"Bearer " + issuer.token(), b"Bearer \xff", b"Basic YTpi"):
                await client.get(f"/notes/{ID}?min_version=1&on_stale=write-store", headers=[(b"authorization", value)])
    assert forwarded == [f"Bearer {issuer.token().decode()}", None, None, None]


async def test_what_is_open_needs_no_token(closed: httpx.AsyncClient) -> None:
    for path in ("/livez", "/readyz", "/docs", "/openapi.json", "/docs/assets/swagger-ui.css"):
        assert (await closed.get(path)).status_code == 200, path
    assert (await closed.get("/nowhere")).status_code == 401


def test_the_document_tells_every_scope(app: FastAPI) -> None:
    for path, operations in app.openapi()["paths"].items():
        scope = SCOPES.paths[path]
        for operation in operations.values():
            assert operation["security"] == ([{}, {"bearer": [scope]}] if scope else [])


def test_a_route_without_a_scope_keeps_the_service_from_starting(app: FastAPI) -> None:
    new = metrics_route()
    new.add_api_route("/notes/{note_id}/secret", lambda: None)
    with pytest.raises(ValueError, match="/secret"):
        make_app([new], app.router.lifespan_context, "1.0.0")
