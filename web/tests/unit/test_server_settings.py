"""What the page is told, and what a browser lets it do."""

import httpx
import pytest
from pydantic import ValidationError

from notes_chassis.settings import SettingsError
from notes_web.app import configuration, make_app, security_headers
from notes_web.files import Files, make_file
from notes_web.settings import Settings, read_settings

OPEN = {"auth": "none", "web_command_url": "https://write.example/", "web_query_url": "http://127.0.0.1:8080"}
CLOSED = {"auth": "oidc", "oidc_issuer": "https://id.example/realms/notes/", "web_client_id": "notes-web"}
FIELDS = ["command_url", "query_url", "auth", "oidc_issuer", "oidc_client_id", "oidc_scope"]


def policy(**given: str) -> dict[str, str]:
    text = security_headers(Settings(**given))["Content-Security-Policy"]
    return dict(one.split(" ", 1) for one in text.split("; "))


async def test_the_page_is_told_where_everything_is_and_nothing_else():
    app = make_app(Settings(**OPEN), Files({"index.html": make_file("index.html", b"")}, ""))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page") as client:
        answer = await client.get("/config.json")
    told = ["https://write.example", "http://127.0.0.1:8080", "none", None, None, None]
    assert answer.json() == dict(zip(FIELDS, told, strict=True))
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-cache"


def test_the_issuer_is_named_exactly_as_its_tokens_name_it():
    told = configuration(Settings(**CLOSED))
    assert list(told) == FIELDS
    assert (told["oidc_issuer"], told["oidc_client_id"]) == ("https://id.example/realms/notes/", "notes-web")
    assert told["oidc_scope"] == "openid notes.read notes.write notes.admin"


def test_the_page_connects_to_both_services_and_the_issuer_alone():
    assert policy(**OPEN)["connect-src"] == "'self' https://write.example http://127.0.0.1:8080"
    closed = policy(**CLOSED)["connect-src"]
    assert closed == "'self' http://127.0.0.1:8081 http://127.0.0.1:8080 https://id.example"


def test_the_page_runs_nothing_but_its_own_files():
    found = policy(**OPEN)
    assert found["default-src"] == found["frame-ancestors"] == found["base-uri"] == found["form-action"] == "'none'"
    assert (found["script-src"], found["style-src"], found["img-src"]) == ("'self'", "'self'", "'self' data:")
    assert not any("unsafe" in one or "*" in one for one in found.values())


async def test_every_answer_has_the_headers():
    app = make_app(Settings(**OPEN), Files({"index.html": make_file("index.html", b"")}, ""))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page") as client:
        for path in ("/", "/gone.js", "/config.json", "/livez"):
            answer = await client.get(path)
            assert security_headers(Settings(**OPEN)).items() <= {
                name.title(): value for name, value in answer.headers.items()
            }.items() | {("X-Content-Type-Options", "nosniff")}


@pytest.mark.parametrize(
    "address",
    ["ftp://a", "http://a;script-src *", "http://a b", "http://a\r\nX: 1", "//a", "http://", "http://a/?b", ""],
)
@pytest.mark.parametrize("name", ["web_command_url", "web_query_url"])
def test_an_address_that_would_say_more_in_the_policy_is_refused(name: str, address: str):
    with pytest.raises(ValidationError):
        Settings(**{**OPEN, name: address})
    with pytest.raises(ValidationError):
        Settings(**{**CLOSED, "oidc_issuer": address})


def test_closed_needs_issuer_and_client(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NOTES_AUTH", "oidc")
    monkeypatch.setenv("NOTES_OIDC_ISSUER", "https://id.example")
    with pytest.raises(SettingsError, match="NOTES_WEB_CLIENT_ID are needed"):
        read_settings()


def test_an_empty_host_would_be_every_address_of_the_machine(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NOTES_AUTH", "none")
    monkeypatch.setenv("NOTES_WEB_HOST", "")
    with pytest.raises(SettingsError, match=r"^NOTES_WEB_HOST: a host's name or address is expected"):
        read_settings()
