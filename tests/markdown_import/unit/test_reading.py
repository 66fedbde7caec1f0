"""The time until a note is readable, with a read side that answers as it is told."""

import httpx
import pytest

from tests.markdown_import.unit.runs import Folder
from tests.markdown_import.unit.write_side import write_files
from tools.markdown_import.importer import Report

URL = "http://read"


def imported(folder: Folder, monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception) -> Report:
    """Import one file; what a reader asks is `answer`ed so."""

    def get(url: str, **_: object) -> httpx.Response:
        assert url == f"{URL}/notes/{folder.note_id('one')}?min_version=1&wait=10"
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(httpx, "get", get)
    write_files(folder.path, one="# One\n")
    report = folder.run(query_url=URL)
    assert report.is_clean()
    return report


def test_a_reader_is_asked_for_the_version_that_was_accepted(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    report = imported(folder, monkeypatch, httpx.Response(200, headers={"Consistency": "current"}))
    assert report.readable.endswith(" ms from publishing")
    assert folder.run(query_url=URL).readable == "not measured"


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, headers={"Consistency": "stale"}),
        httpx.Response(503),
        httpx.Response(410),
        httpx.ConnectError("connection refused"),
        httpx.InvalidURL("what"),
    ],
)
def test_a_reader_who_does_not_get_the_note_ends_no_import(
    folder: Folder, monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception
) -> None:
    assert imported(folder, monkeypatch, answer).readable == "not measured"
