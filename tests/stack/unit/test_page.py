"""The page finds the services that `up` starts, and they let it ask."""

import pytest

from notes_chassis.access.authentication import AccessSettings
from notes_web.settings import Settings
from tools.stack.native import closed_by, seen_by_browsers

URLS = {"command": "http://127.0.0.1:21", "query": "http://127.0.0.1:22", "web": "http://127.0.0.1:23"}


def settle(monkeypatch: pytest.MonkeyPatch, told: dict[str, str]) -> None:
    for name, value in told.items():
        monkeypatch.setenv(name, value)


def test_the_page_is_told_where_the_services_are_and_may_ask_them(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("NOTES_CORS_ORIGINS", raising=False)
    settle(monkeypatch, {"NOTES_AUTH": "none", **seen_by_browsers(URLS)})
    page = Settings()
    assert (page.web_command_url, page.web_query_url) == (URLS["command"], URLS["query"])
    assert AccessSettings().cors_origins == ("http://127.0.0.1:23", "http://localhost:23")


def test_origins_that_were_let_in_before_still_are(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("NOTES_CORS_ORIGINS", "https://notes.example")
    settle(monkeypatch, seen_by_browsers(URLS))
    assert AccessSettings().cors_origins == ("https://notes.example", "http://127.0.0.1:23", "http://localhost:23")


def test_closed_the_page_knows_where_to_log_in(monkeypatch: pytest.MonkeyPatch):
    settle(monkeypatch, {"NOTES_AUTH": "oidc", **closed_by("http://127.0.0.1:24")})
    page = Settings()
    assert (page.oidc_issuer, page.web_client_id) == ("http://127.0.0.1:24", "notes-web")
