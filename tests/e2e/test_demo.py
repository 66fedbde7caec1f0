"""`make demo` on a system that is given."""

import os

from tests.e2e.pair import Pair
from tests.harness.programs import Ended, ended


def run_demo(pair: Pair) -> Ended:
    return ended("tools.demo", environment={**os.environ, **pair.environment})


def test_the_demo_finds_every_step_right_and_shows_what_a_reader_sees(pair: Pair) -> None:
    for one in ("COMMAND_URL", "QUERY_URL"):
        pair.environment[f"NOTES_WEB_{one}"] = pair.environment[f"NOTES_{one}"]
    page = pair.another("web")
    page.start()
    pair.environment["NOTES_WEB_URL"] = page.url
    done = run_demo(pair)
    assert done.code == 0, done.out + done.err
    assert "HTTP 409 version_conflict" in done.out
    assert "v3  Notes  “Edited over HTTP, waiting for the outcome.”" in done.out
    assert f"{page.url} shows these notes to a browser" in done.out
    assert "Every step was right" in done.out


def test_the_demo_fails_with_a_sentence_where_notes_cannot_be_read(pair: Pair) -> None:
    pair.query.terminate()
    done = run_demo(pair)
    assert done.code == 1
    assert "✗ A server or a service did not answer: [Errno 111] Connection refused" in done.out
    assert "Every step was right" not in done.out
    assert "Traceback" not in done.out + done.err
