"""Browsers: which pages elsewhere may ask, and what our own pages may load."""

import base64
import hashlib
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from notes_chassis.http.answers import Answers
from notes_chassis.http.browsers import Origins, page_headers, with_cors
from notes_chassis.http.openapi import add_docs
from notes_chassis.settings import ServiceSettings, SettingsError, read

PAGE = "https://notes.example.com"


class Settings(ServiceSettings):
    cors_origins: Origins = ()


def found(monkeypatch: pytest.MonkeyPatch, text: str) -> Settings:
    monkeypatch.setattr("notes_chassis.logs.configure", lambda _: None)
    monkeypatch.setenv("NOTES_CORS_ORIGINS", text)
    return read(Settings, lambda _: "info")


@pytest.mark.parametrize(
    ("text", "origins"),
    [
        ("", ()),
        (PAGE, (PAGE,)),
        (f"{PAGE}/, http://localhost:8082 ,{PAGE}:443", (PAGE, "http://localhost:8082")),
        ("HTTP://[::1]:80", ("http://[::1]",)),
        ("https://Notes.Example.com", (PAGE,)),
    ],
)
def test_origins_are_written_as_browsers_write_them(
    monkeypatch: pytest.MonkeyPatch, text: str, origins: tuple[str, ...]
) -> None:
    settings = found(monkeypatch, text)
    assert settings.cors_origins == origins


@pytest.mark.parametrize(
    "text", ["*", "null", "notes.example.com", "https://", "https://a/b", "https://u@a", "ftp://a", "https://a:x"]
)
def test_what_is_no_origin_is_refused(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    with pytest.raises(SettingsError, match=r"^NOTES_CORS_ORIGINS: origins such as https://"):
        found(monkeypatch, text)


async def answer(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("here", 401, {"ETag": '"1"'})(scope, receive, send)


def asking(app: Any) -> httpx.AsyncClient:
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")


@pytest.mark.parametrize("name", ["authorization", "idempotency-key", "content-type", "last-event-id", "traceparent"])
async def test_a_page_that_was_named_may_ask(name: str) -> None:
    asked = {"Origin": PAGE, "Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": name}
    async with asking(with_cors(answer, (PAGE,))) as http:
        preflight = await http.options("/commands/create-note", headers=asked)
        refused = await http.get("/notes", headers={"Origin": PAGE})
    assert (preflight.status_code, preflight.headers["access-control-allow-origin"]) == (200, PAGE)
    assert "access-control-allow-credentials" not in preflight.headers
    assert refused.headers["access-control-allow-origin"] == PAGE, "a page has to see its errors, too"
    assert "WWW-Authenticate" in refused.headers["access-control-expose-headers"]
    assert "Origin" in refused.headers["vary"]


@pytest.mark.parametrize("origins", [(), (PAGE,)])
async def test_no_other_page_may(origins: tuple[str, ...]) -> None:
    other = {"Origin": "https://notes.example.com.evil.test"}
    async with asking(with_cors(answer, origins)) as http:
        assert "access-control-allow-origin" not in (await http.get("/notes", headers=other)).headers
        preflight = await http.options("/notes", headers=other | {"Access-Control-Request-Method": "POST"})
    assert "access-control-allow-origin" not in preflight.headers
    if origins:
        told = preflight.json()
        assert preflight.headers["content-type"] == "application/problem+json"
        assert (preflight.status_code, told["code"], told["detail"]) == (400, "bad_request", "Disallowed CORS origin")
        assert "Origin" in preflight.headers["vary"]


async def test_the_page_of_the_documentation_runs_its_own_script_alone() -> None:
    app = FastAPI(docs_url=None)
    add_docs(app)
    async with asking(app) as http:
        page = await http.get("/docs")
    script = page.text.split("<script>")[1].split("</script>")[0]
    expected = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    policy = dict(part.split(" ", 1) for part in page.headers["content-security-policy"].split("; "))
    assert policy["script-src"] == f"'self' 'sha256-{expected}'"
    assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
    assert page.headers["x-content-type-options"] == "nosniff"


def test_a_page_without_scripts_runs_none() -> None:
    policy = page_headers("<html><style>a{}</style><p>notes</html>")["Content-Security-Policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy


@pytest.mark.parametrize("part", ["bytes=0-9", "bytes=9999999-", "bytes=x", "lines=1-2", "bytes=0-9,20-29"])
async def test_a_file_of_the_documentation_is_sent_whole(part: str) -> None:
    app = FastAPI(docs_url=None)
    add_docs(app)
    app.add_middleware(Answers, gzip=True)
    async with asking(app) as http:
        whole = await http.get("/docs/assets/swagger-ui.css")
        asked = await http.get("/docs/assets/swagger-ui.css", headers={"Range": part})
    assert (asked.status_code, asked.content == whole.content, len(whole.content) > 1_000) == (200, True, True)
    assert "content-range" not in asked.headers
