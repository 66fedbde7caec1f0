"""The system the demo runs on, its own or one that is given; what asks it and checks; what a person sees of that."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from textwrap import shorten
from time import perf_counter
from typing import Any

import httpx
from filelock import Timeout
from rich.console import Console
from rich.text import Text

from tools.issuer.app import SECRET
from tools.stack.folder import REPOSITORY, STACK, Folder, in_use
from tools.stack.state import forget_ours

ROOT = REPOSITORY
STATE = STACK.root / "demo"
NEEDED = ("NOTES_KAFKA", "NOTES_COMMAND_URL", "NOTES_QUERY_URL")
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


@contextmanager
def system(*, keep: bool = False) -> Iterator[Mapping[str, str]]:
    """Yield the environment of a system that is up. Raises DemoError.

    What was started is stopped, whatever happens; with `keep` it is not if every step was right.
    """
    if forget_ours():
        say(
            "The environment names what `make up` started: that is left alone, and the demo starts a system of its own."
        )
    if all(os.environ.get(name) for name in NEEDED):
        say(f"The environment names a system ({', '.join(NEEDED)}): it is used as it is, and nothing is started.")
        yield os.environ
        return
    STATE.mkdir(parents=True, exist_ok=True)
    lock = in_use(Folder(STATE))
    try:
        lock.acquire()
    except Timeout:
        raise DemoError("Another demo is running in this checkout; wait until it has ended.") from None
    purge: tuple[str, ...] = ()
    kept = STATE / "kept"
    kept.unlink(missing_ok=True)
    _stack("down", "--purge", errors=subprocess.DEVNULL)
    try:
        began = perf_counter()
        _stack("up")
        say(f"servers and services are up, after {perf_counter() - began:.1f} s", *RIGHT)
        yield os.environ | dict(line.split("=", 1) for line in shlex.split((STATE / "env").read_text()))
        purge = ("--purge",)
    finally:
        if keep and purge:
            kept.touch()  # so that `make down` knows of it
        else:
            _shut_down(purge)


def _shut_down(purge: tuple[str, ...]) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave servers behind
    chapter("Shut down")
    _stack("down", *purge)
    if not purge:
        say(f"The logs are in {STATE / 'logs'}.")


def _stack(*arguments: str, errors: int | None = None) -> None:
    command = [sys.executable, "-m", "tools.stack", *arguments, "--state", str(STATE)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors) as process:
        try:
            process.wait()
        except KeyboardInterrupt:
            process.send_signal(signal.SIGINT)  # a terminal sends it to both of us, `kill` to one only
            process.wait()
            raise
    if process.returncode:
        raise DemoError(f"`tools.stack {arguments[0]}` did not succeed.")
