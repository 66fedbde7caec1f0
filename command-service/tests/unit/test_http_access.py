"""Nobody without a token of the right scope reads or changes anything, on any route."""

import json
import re
from typing import Any

import pytest
from command_support.builders import new_id
from command_support.http_side import ASKED, HttpSide, problem
from fastapi.routing import iter_route_contexts

from notes_chassis.access.guard import OPEN
from notes_command.gateway.app import SCOPES
from tests.harness.issuing import Issuer, bad_tokens
from tests.harness.odd_paths import differently_seen

ALL = "notes.read notes.write notes.admin"
CLOSED = [path for path, scope in SCOPES.paths.items() if scope is not OPEN]


@pytest.fixture
async def issuer() -> Issuer:
    issuer = Issuer()
    await issuer.signing.look()
    return issuer


@pytest.fixture
def closed(issuer: Issuer) -> HttpSide:
    return HttpSide(tokens=issuer.tokens)


async def ask(side: HttpSide, path: str, token: str | None, method: str | None = None) -> Any:
    method = method or ("POST" if re.match(r"/(commands/[a-z]|admin)", path) else "GET")
    address = re.sub(r"\{\w+:path\}", "no-command", re.sub(r"\{\w+\}", new_id(), path))
    named = {} if token is None else {"Authorization": f"Bearer {token}"}
    return await side.client.request(method, address, headers=named, content=None if method == "GET" else b"{}")


async def test_every_bad_token_is_refused_on_every_route(closed: HttpSide, issuer: Issuer) -> None:
    bad = bad_tokens(issuer)
    for path in CLOSED:
        for method in ("GET", "POST", "HEAD", "PUT"):
            answer = await ask(closed, path, None, method)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="notes"')
        for name, token in bad.items():
            answer = await ask(closed, path, token)
            assert (answer.status_code, problem(answer)["code"]) == (401, "unauthenticated"), (path, name)
            assert answer.headers["www-authenticate"].startswith('Bearer realm="notes", error="invalid_token"')
    assert closed.sent == []


async def test_too_small_a_scope_is_forbidden_on_every_route(closed: HttpSide, issuer: Issuer) -> None:
    for path in CLOSED:
        needed = SCOPES.paths[path]
        others = issuer.token(scope=ALL.replace(needed, "")).decode()
        answer = await ask(closed, path, others)
        assert (answer.status_code, problem(answer)["code"]) == (403, "forbidden"), path
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        assert f'scope="{needed}"' in answer.headers["www-authenticate"]
        answer = await ask(closed, path, issuer.token(scope=needed).decode())
        assert answer.status_code not in (401, 403), path
    assert closed.sent == []


async def test_table_and_router_see_the_same_path(issuer: Issuer) -> None:
    side = HttpSide()
    ASKED.set(side)
    assert await differently_seen(side.app, SCOPES, issuer.token()) == []


async def test_what_is_open_needs_no_token(closed: HttpSide) -> None:
    for path in ("/livez", "/readyz", "/docs", "/openapi.json", "/docs/assets/swagger-ui.css"):
        assert (await closed.client.get(path)).status_code == 200, path
        assert (await closed.client.get(path, headers={"Authorization": "Bearer garbage"})).status_code == 200


async def test_the_gateway_says_who_asks(closed: HttpSide, issuer: Issuer) -> None:
    closed.working = False
    forged = {"ce_authid": "root", "ce-authid": "root", "authid": "root"}
    for claims in ({"sub": "Zoë"}, {"sub": "importer", "azp": "importer"}):
        token = issuer.token(scope="notes.write", **claims).decode()
        headers = forged | {"Authorization": f"Bearer {token}"}
        answer = await closed.client.post("/commands/create-note", json={"title": "T"}, headers=headers)
        assert answer.status_code == 202
    said = [{name: value for name, value in sent.headers if "auth" in name} for sent in closed.sent]
    assert said == [
        {"ce_authtype": b"user", "ce_authid": "Zoë".encode()},
        {"ce_authtype": b"service_account", "ce_authid": b"importer"},
    ]


async def test_where_nobody_is_asked_for_a_token_nobody_is_named() -> None:
    side = HttpSide(working=False)
    answer = await side.client.post(
        "/commands/create-note", json={"title": "T"}, headers={"ce_authid": "root", "Authorization": "Bearer x"}
    )
    assert answer.status_code == 202
    assert not [name for name, _ in side.sent[0].headers if "auth" in name]


async def test_the_document_tells_every_scope(closed: HttpSide) -> None:
    for side, security in ((closed, [{"bearer": ["{}"]}]), (HttpSide(), [{}, {"bearer": ["{}"]}])):
        document = (await side.client.get("/openapi.json")).json()
        for path, operations in document["paths"].items():
            scope = SCOPES.paths[path]
            for operation in operations.values():
                expected = json.loads(json.dumps(security).replace('{}"', f'{scope}"')) if scope else []
                assert operation["security"] == expected
                assert ("401" in operation["responses"]) == bool(scope)


def test_the_table_has_no_line_without_a_route() -> None:
    paths = {context.path for context in iter_route_contexts(HttpSide().app.routes)}
    asyncapi = {"/asyncapi", "/asyncapi.json"}
    assert SCOPES.paths.keys() - paths - asyncapi == {"/docs/assets/{file:path}"}
