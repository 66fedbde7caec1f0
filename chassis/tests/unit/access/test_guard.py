import asyncio
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from notes_chassis.access.guard import OPEN, Guard, Scopes, caller_of
from notes_chassis.http.answers import Answers
from tests.harness.issuing import NOW, Issuer, bad_tokens, base64url, claims_of, key_of

TABLE = {"/livez": OPEN, "/notes/{note_id}": "notes.read", "/commands/{name:path}": "notes.write",
         "/admin/republish": "notes.admin"}  # fmt: skip


class Side:
    """A small service that is closed."""

    def __init__(self) -> None:
        self.issuer, self.asked = Issuer(), list[Any]()
        app = FastAPI()

        async def answer(request: Request) -> dict[str, Any]:
            self.asked.append(caller_of(request.scope))
            return {}

        for path in TABLE:
            app.add_api_route(path, answer, methods=["GET", "POST"])
        app.add_api_route("/forgotten", answer)
        app.add_middleware(Guard, scopes=Scopes(TABLE), tokens=self.issuer.tokens)
        app.add_middleware(Answers)
        self.app = app
        self.client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://notes")

    async def ask(self, path: str, token: bytes | str | None = None, method: str = "GET") -> httpx.Response:
        text = token.decode() if isinstance(token, bytes) else token
        return await self.client.request(
            method, path, headers=[] if text is None else {"Authorization": f"Bearer {text}"}
        )


@pytest.fixture
async def side() -> Side:
    side = Side()
    await side.issuer.signing.look()
    return side


def refusal(answer: httpx.Response, status: int, code: str) -> str:
    """Return the challenge of an answer that has to be a refusal."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == code
    return answer.headers.get("www-authenticate", "")


async def test_who_has_the_scope_is_let_in(side: Side) -> None:
    for _ in range(2):
        assert (await side.ask("/notes/1", side.issuer.token(sub="anna"))).status_code == 200
    assert [caller.id for caller in side.asked] == ["anna", "anna"]
    assert (await side.ask("/notes/1", side.issuer.token(), "HEAD")).status_code == 200


async def test_who_asks_does_not_make_the_scope_grow(side: Side) -> None:
    """With one key more, the dict of every request to query-service would be made anew."""
    scopes: list[Any] = []

    async def app(scope: Any, *_: Any) -> None:
        scopes.append(scope)

    guard: Any = Guard(app, Scopes(TABLE), side.issuer.tokens)
    header = (b"authorization", b"Bearer " + side.issuer.token(sub="anna"))
    for _ in range(2):  # verified, then remembered
        await guard({"type": "http", "path": "/notes/1", "headers": [header], "state": {}}, None, None)
    assert [len(scope) for scope in scopes] == [4, 4]
    assert [scope["state"]["notes.caller"].id for scope in scopes] == ["anna", "anna"]


async def test_what_is_open_asks_nobody(side: Side) -> None:
    for token in (None, "garbage"):
        assert (await side.ask("/livez", token)).status_code == 200
    assert side.asked == [None, None]


async def test_without_a_token_no_error_is_named(side: Side) -> None:
    for path in ("/notes/1", "/commands/x", "/admin/republish"):
        for method in ("GET", "POST", "HEAD", "DELETE", "OPTIONS"):
            answer = await side.ask(path, method=method)
            assert (answer.status_code, answer.headers["www-authenticate"]) == (401, 'Bearer realm="notes"')
    assert refusal(await side.ask("/notes/1"), 401, "unauthenticated") == 'Bearer realm="notes"'
    assert side.asked == []


@pytest.mark.parametrize("value", ["Basic YTpi", "Bearertoken", "Bearer", "", "Token x", "DPoP x", "bearer\tx"])
async def test_another_scheme_is_no_token(side: Side, value: str) -> None:
    answer = await side.client.get("/notes/1", headers={"Authorization": value})
    assert refusal(answer, 401, "unauthenticated") == 'Bearer realm="notes"'


async def test_the_scheme_is_read_in_any_case(side: Side) -> None:
    token = side.issuer.token().decode()
    for scheme in ("bearer", "BEARER", "Bearer ", "bEaReR   "):
        answer = await side.client.get("/notes/1", headers={"Authorization": f"{scheme} {token}"})
        assert answer.status_code == 200


async def test_two_headers_are_no_token_even_if_they_are_the_same(side: Side) -> None:
    good = f"Bearer {side.issuer.token().decode()}"
    for other in (good, "Basic YTpi", "Bearer x", ""):
        for both in ((good, other), (other, good)):
            answer = await side.client.get("/notes/1", headers=[("Authorization", value) for value in both])
            assert 'error="invalid_token"' in refusal(answer, 401, "unauthenticated")
    assert side.asked == []


async def test_every_bad_token_is_refused_on_every_route(side: Side) -> None:
    bad = bad_tokens(side.issuer) | {"empty": "", "basic": base64url(b"a:b")}
    for path in [*TABLE, "/forgotten", "/nowhere"]:
        for name, token in bad.items():
            answer = await side.ask(path, token)
            if path == "/livez":
                assert answer.status_code == 200
                continue
            challenge = refusal(answer, 401, "unauthenticated")
            if name != "empty":
                assert 'error="invalid_token", error_description="' in challenge, name
            assert challenge.isprintable()
    assert len(side.asked) == len(bad)


async def test_too_small_a_scope_is_forbidden_and_named(side: Side) -> None:
    for path, scope in (
        ("/notes/1", "notes.read"),
        ("/commands/x", "notes.write"),
        ("/admin/republish", "notes.admin"),
    ):
        for others in ({"notes.read", "notes.write", "notes.admin"} - {scope}, {scope.upper()}, {f"{scope}x"}, set()):
            answer = await side.ask(path, side.issuer.token(scope=" ".join(others)))
            challenge = refusal(answer, 403, "forbidden")
            assert challenge.startswith('Bearer realm="notes", error="insufficient_scope", error_description="')
            assert challenge.endswith(f'scope="{scope}"')
    assert side.asked == []


async def test_what_is_not_in_the_table_is_closed(side: Side) -> None:
    assert refusal(await side.ask("/forgotten"), 401, "unauthenticated")
    refusal(await side.ask("/forgotten", side.issuer.token()), 404, "not_found")
    refusal(await side.ask("/notes/1/", side.issuer.token()), 404, "not_found")
    refusal(await side.ask("/NOTES/1", side.issuer.token()), 404, "not_found")
    assert side.asked == []


async def test_while_there_are_no_keys_nobody_is_let_in_and_told_to_try_again() -> None:
    side = Side()
    side.issuer.away = True
    answer = await side.ask("/notes/1", side.issuer.token())
    refusal(answer, 503, "unavailable")
    assert answer.headers["retry-after"] == "1"
    assert (await side.ask("/livez")).status_code == 200
    refusal(await side.ask("/notes/1"), 401, "unauthenticated")
    assert len(side.asked) == 1


async def test_a_websocket_is_asked_for_a_token_too(side: Side) -> None:
    told: list[Any] = []

    async def send(message: Any) -> None:
        told.append(message)

    async def receive() -> Any:
        return {"type": "websocket.connect"}

    reached: list[Any] = []

    async def app(scope: Any, *_: Any) -> None:
        reached.append(scope["type"])

    guard = Guard(app, Scopes(TABLE), side.issuer.tokens)
    scope = {"type": "websocket", "path": "/notes/1", "headers": [], "extensions": {"websocket.http.response": {}}}
    await guard(scope, receive, send)
    assert reached == []
    assert (told[0]["type"], told[0]["status"]) == ("websocket.http.response.start", 401)
    await guard({"type": "lifespan"}, receive, send)
    assert reached == ["lifespan"]


async def test_only_so_many_wait_for_an_issuer_that_hangs(side: Side) -> None:
    answers, asked = asyncio.Event(), asyncio.Event()

    async def hang() -> bytes:
        asked.set()
        await answers.wait()
        return b"{}"

    side.issuer.signing.fetch = hang
    unknown = key_of("ES256", "unknown").sign(claims_of())
    guard = Guard(side.app, Scopes(TABLE), side.issuer.tokens)
    side.issuer.tokens.places.most = 3
    client = httpx.AsyncClient(transport=httpx.ASGITransport(guard), base_url="http://notes")
    named = {"Authorization": f"Bearer {unknown}"}
    waiting = [asyncio.create_task(client.get("/notes/1", headers=named)) for _ in range(3)]
    await asked.wait()
    refusal(await client.get("/notes/1", headers=named), 503, "unavailable")
    known = {"Authorization": f"Bearer {side.issuer.token().decode()}"}
    assert (await client.get("/notes/1", headers=known)).status_code == 200, "never seen before, of a known key"
    answers.set()
    for answer in await asyncio.gather(*waiting):
        refusal(answer, 401, "unauthenticated")
    refusal(await client.get("/notes/1", headers=named), 401, "unauthenticated")


async def test_a_token_elsewhere_than_in_its_header_is_none(side: Side) -> None:
    token = side.issuer.token().decode()
    named = {"Cookie": f"access_token={token}", "X-Access-Token": token, "Proxy-Authorization": f"Bearer {token}"}
    answer = await side.client.get(f"/notes/1?access_token={token}&authorization=Bearer+{token}", headers=named)
    assert refusal(answer, 401, "unauthenticated") == 'Bearer realm="notes"'
    for path in ("/livez", "/docs"):
        override = {
            "X-HTTP-Method-Override": "POST",
            "X-Original-URL": path,
            "X-Rewrite-URL": path,
            "X-Forwarded-Prefix": "/",
        }
        assert (await side.client.get("/notes/1", headers=override)).status_code == 401


async def test_a_remembered_token_is_refused_once_it_expires(side: Side) -> None:
    token = side.issuer.token(exp=NOW + 5)
    assert (await side.ask("/notes/1", token)).status_code == 200
    side.issuer.now = NOW + 65
    assert "expired" in refusal(await side.ask("/notes/1", token), 401, "unauthenticated")


def test_every_route_has_a_scope_or_nothing_starts() -> None:
    router = APIRouter()
    for path in TABLE:
        router.add_route(path, lambda _: Response())
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
    app.include_router(router)
    Scopes(TABLE).check(app.routes)
    app.mount("/new", Response())
    with pytest.raises(ValueError, match="routes without a scope: /new"):
        Scopes(TABLE).check(app.routes)
    router.add_api_route("/newer", lambda: None)
    with pytest.raises(ValueError, match="routes without a scope: /new, /newer"):
        Scopes(TABLE).check(app.routes)
    with pytest.raises(ValueError, match="two scopes"):
        Scopes({"/commands/admin": "notes.admin", "/commands/{name}": "notes.write"})
