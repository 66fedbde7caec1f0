"""What asks the services and checks what they say, and what a person sees of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from textwrap import shorten
from time import perf_counter
from typing import Any

import httpx
from rich.console import Console
from rich.text import Text

from tools.issuer.app import SECRET

WAIT_S = 10
RIGHT = "✓ ", "green"
_console = Console(highlight=False, soft_wrap=True)


class DemoError(Exception):
    """A step was not right, or could not be made; the message is for a person."""


def check(what: str, found: Any, expected: Any) -> None:
    """Raise DemoError unless `found` is `expected`; of an object the fields that are expected count."""
    if isinstance(expected, dict):
        found = {name: found.get(name) for name in expected}
    if found != expected:
        raise DemoError(f"{what} should be {expected!r}, and is {found!r}.")


@dataclass(frozen=True)
class Client:
    """Speaks HTTP with both services; their addresses are in the environment."""

    environment: Mapping[str, str]
    http: httpx.Client

    def log_in(self) -> None:
        """Send a token from now on, if the system is closed. Raises DemoError."""
        issuer = self.environment.get("NOTES_OIDC_ISSUER")
        if self.environment.get("NOTES_AUTH") == "oidc" and issuer:
            form = {"grant_type": "client_credentials", "scope": "notes.read notes.write"}
            answer = self.http.post(f"{issuer}/token", data=form, auth=("demo", SECRET))
            check("the status of the issuer's answer", answer.status_code, 200)
            self.http.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
            say("the services are closed; the issuer gave a token", *RIGHT)

    def get(self, path: str, **query: Any) -> httpx.Response:
        """Return what the query-service answers. Raises DemoError unless that is 200."""
        answer = self.http.get(f"{self.environment['NOTES_QUERY_URL']}{path}", params=query)
        check(f"the status of GET {path}", answer.status_code, 200)
        return answer

    def note(self, note_id: str, version: int, *, shown: bool = True) -> dict[str, Any]:
        """Return the note once it shows that version, and print what a reader sees. Raises DemoError."""
        began = perf_counter()
        answer = self.get(f"/notes/{note_id}", min_version=version, wait=WAIT_S)
        seconds, view = perf_counter() - began, dict(answer.json())
        check(f"the Consistency of {note_id}", answer.headers.get("consistency"), "current")
        check(f"the ETag of {note_id}", answer.headers.get("etag"), f'"{view["version"]}"')
        if shown:
            text = shorten(view["preview"], 60, placeholder="…")
            say(
                f"v{view['version']}  {view['title']}  “{text}”  {seconds * 1000:,.1f} ms for the answer",
                "reader ",
                "cyan",
            )
        return view

    def find_page(self) -> str | None:
        """Return where the page is, if the system has one. Raises DemoError: it is not there, or asks elsewhere."""
        page = self.environment.get("NOTES_WEB_URL")
        if page:
            chapter("4  The page")
            check("the status of the page", self.http.get(page).status_code, 200)
            told = self.http.get(f"{page}/config.json").json()
            urls = {f"{side}_url": self.environment[f"NOTES_{side.upper()}_URL"] for side in ("command", "query")}
            check("what the page is told", told, urls)
            say(f"{page} shows these notes to a browser", *RIGHT)
        return page

    def update(self, note_id: str, body: str, expected_version: int, command_id: str) -> httpx.Response:
        """Post an update-note, wait for its outcome, and return the answer."""
        command = {"note_id": note_id, "body": body, "expected_version": expected_version}
        headers = {"Idempotency-Key": command_id, "Prefer": f"wait={WAIT_S}"}
        url = f"{self.environment['NOTES_COMMAND_URL']}/commands/update-note"
        return self.http.post(url, json=command, headers=headers)


def chapter(title: str) -> None:
    """Begin a part of the demo."""
    _console.print()
    _console.rule(title, align="left", style="dim")


def say(text: str, mark: str = "", style: str = "") -> None:
    """Print a line; the mark in front has the style."""
    _console.print(Text("  ").append(mark, style=style).append(text, style="default"))
