"""`make demo` on a system that is given."""

import os
import subprocess
import sys
from pathlib import Path

from tests.e2e.pair import Pair

ROOT = Path(__file__).resolve().parents[2]


def run_demo(pair: Pair) -> "subprocess.CompletedProcess[str]":
    environment = {**os.environ, **pair.environment}
    return subprocess.run(
        [sys.executable, "-m", "tools.demo"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=100,
    )


def test_the_demo_finds_every_step_right_and_shows_what_a_reader_sees(pair: Pair) -> None:
    for one in ("COMMAND_URL", "QUERY_URL"):
        pair.environment[f"NOTES_WEB_{one}"] = pair.environment[f"NOTES_{one}"]
    page = pair.another("web")
    page.start()
    pair.environment["NOTES_WEB_URL"] = page.url
    done = run_demo(pair)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "HTTP 409 version_conflict" in done.stdout
    assert "v3  Notes  “Edited over HTTP, waiting for the outcome.”" in done.stdout
    assert f"{page.url} shows these notes to a browser" in done.stdout
    assert "Every step was right" in done.stdout


def test_the_demo_fails_with_a_sentence_where_notes_cannot_be_read(pair: Pair) -> None:
    pair.query.terminate()
    done = run_demo(pair)
    assert done.returncode == 1
    assert "✗ A server or a service did not answer: [Errno 111] Connection refused" in done.stdout
    assert "Every step was right" not in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
