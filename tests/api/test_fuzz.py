"""Both services as processes, held against their own OpenAPI documents by schemathesis, with good data and bad.

Here with few examples, always the same; `make fuzz` goes on for FUZZ_SECONDS with any.
"""

import os
import re
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep

import httpx
import pytest

from notes_contracts.examples import NOTE_ID, example_data
from tests.e2e.pair import Pair

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
VISIBLE_WITHIN_S = 15.0
FEW = ["--phases", "examples,coverage", "--seed", "1", "--generation-deterministic"]
CREATED = "notes.command.create-note.v1"


def make_the_note_of_the_examples(pair: Pair) -> None:
    """Write it, and wait until it can be read."""
    sent = httpx.post(
        f"{pair.command.url}/commands/create-note", json=example_data(CREATED), headers={"Prefer": "wait=10"}
    )
    assert sent.status_code == 200, sent.text
    deadline = monotonic() + VISIBLE_WITHIN_S
    while httpx.get(f"{pair.query.url}/notes/{NOTE_ID}?min_version=1").status_code != 200:
        assert monotonic() < deadline, "the note cannot be read"
        sleep(0.05)


def fuzz(url: str) -> subprocess.CompletedProcess[str]:
    seconds = os.environ.get("FUZZ_SECONDS")
    how = ["--max-time", seconds] if seconds else FEW
    program = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(FOLDER / "schemathesis.toml"), "run"]
    return subprocess.run(
        [*program, f"{url}/openapi.json", "--no-color", *how], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("name", ["command", "query"])
def test_a_service_does_what_its_document_says(name: str, pair: Pair, request: pytest.FixtureRequest) -> None:
    if name == "query":
        request.applymarker(pytest.mark.xfail(reason="the read side's parameters are not described yet", strict=True))
    make_the_note_of_the_examples(pair)
    done = fuzz(getattr(pair, name).url)
    print(done.stdout)  # noqa: T201 - pytest shows it when the test fails, and `make fuzz` always
    assert done.returncode == 0, "schemathesis found failures; they are above, each with a curl line"
    cases = re.search(r"(\d+) generated", done.stdout)
    assert cases is not None
    assert int(cases[1]) > 100, "hardly anything was tried"
