"""Both services as processes, closed as by default, held against their own OpenAPI documents by schemathesis.

It sends good data and bad, with a token of all scopes, and looks whether it is let in without.

Here with few examples, always the same; `make fuzz` goes on for FUZZ_SECONDS with any.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from threading import Event
from time import monotonic, sleep
from uuid import uuid4

import httpx
import pytest

from notes_contracts.examples import COMMAND_ID, NOTE_ID, example_data
from tests.e2e.pair import Pair
from tests.harness.issuer_process import IssuerProcess, issuer_process

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
VISIBLE_WITHIN_S = 15.0
CHANGE_EVERY_S = 0.2
FEW = ["--phases", "examples,coverage", "--seed", "1", "--generation-deterministic"]
CREATED = "notes.command.create-note.v1"


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[IssuerProcess]:
    with issuer_process(tmp_path / "issuer.log") as issuer:
        yield issuer


@pytest.fixture
def environment(environment: dict[str, str], issuer: IssuerProcess) -> dict[str, str]:
    return environment | issuer.settings


@pytest.fixture
def token(issuer: IssuerProcess) -> dict[str, str]:
    return issuer.token(lasts=24 * 3600)


def make_the_note_of_the_examples(pair: Pair, token: dict[str, str]) -> None:
    """Write it, with the command of the examples, and wait until all that came of it can be read."""
    sent = httpx.post(
        f"{pair.command.url}/commands/create-note",
        json=example_data(CREATED),
        headers={**token, "Prefer": "wait=10", "Idempotency-Key": COMMAND_ID},
    )
    assert sent.status_code == 200, sent.text
    deadline = monotonic() + VISIBLE_WITHIN_S
    with httpx.Client(base_url=pair.query.url, headers=token) as client:
        for path in (f"/notes/{NOTE_ID}?min_version=1", f"/notes/{NOTE_ID}/history", f"/commands/{COMMAND_ID}?wait=2"):
            while client.get(path).status_code != 200:
                assert monotonic() < deadline, f"{path} cannot be read"
                sleep(0.05)


@contextmanager
def changes(pair: Pair, token: dict[str, str]) -> Iterator[None]:
    """Change a note of its own again and again: who follows the changes is sent one, and need not wait for long."""
    done = Event()
    note_id = str(uuid4())

    def change() -> None:
        with httpx.Client(base_url=pair.command.url, headers=token) as client:
            client.post("/commands/create-note", json={"note_id": note_id, "title": "Changes"})
            for number in count():
                if done.wait(CHANGE_EVERY_S):
                    return
                client.post("/commands/update-note", json={"note_id": note_id, "body": str(number)})

    with ThreadPoolExecutor(1) as pool:
        changing = pool.submit(change)
        try:
            yield
        finally:
            done.set()
        changing.result()


def fuzz(url: str, token: dict[str, str]) -> subprocess.CompletedProcess[str]:
    seconds = os.environ.get("FUZZ_SECONDS")
    how = ["--max-time", seconds] if seconds else FEW
    named = [word for name, value in token.items() for word in ("--header", f"{name}: {value}")]
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(FOLDER / "schemathesis.toml"), "run"]
    return subprocess.run(
        [*program, f"{url}/openapi.json", "--no-color", *how, *named],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("name", ["command", "query"])
def test_a_service_does_what_its_document_says(name: str, pair: Pair, token: dict[str, str]) -> None:
    make_the_note_of_the_examples(pair, token)
    with changes(pair, token):
        done = fuzz(getattr(pair, name).url, token)
    print(done.stdout)  # noqa: T201 - pytest shows it when the test fails, and `make fuzz` always
    assert done.returncode == 0, "schemathesis found failures; they are above, each with a curl line"
    cases = re.search(r"(\d+) generated", done.stdout)
    assert cases is not None
    assert int(cases[1]) > 100, "hardly anything was tried"
