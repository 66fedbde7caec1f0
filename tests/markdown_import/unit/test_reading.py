"""The time until a note is readable, with a read side that answers as it is told."""

import httpx
import pytest

from tests.markdown_import.unit.runs import Folder
from tests.markdown_import.unit.write_side import write_files
from tools.markdown_import.report import Report

URL = "http://read"


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, answer: httpx.Response | Exception) -> list[str]:
    urls: list[str] = []

    def handle(request: httpx.Request) -> httpx.Response:
        urls.append(str(request.url))
        if isinstance(answer, Exception):
            raise answer
        return answer

    client = httpx.AsyncClient
    transport = httpx.MockTransport(handle)
    monkeypatch.setattr(httpx, "AsyncClient", lambda **options: client(**options, transport=transport))
    return urls


def imported(folder: Folder) -> Report:
    write_files(folder.path, one="# One\n")
    report = folder.run(query_url=URL)
    assert report.is_clean
    return report


@pytest.mark.parametrize("answer", [httpx.Response(200, headers={"Consistency": "current"})])
def test_a_reader_is_asked_for_the_version_that_was_accepted(folder: Folder, asked: list[str]) -> None:
    report = imported(folder)
    assert asked == [f"{URL}/notes/{folder.note_id('one')}?min_version=1&wait=10"]
    assert (len(report.times), report.untimed) == (1, None)
    assert folder.run(query_url=URL).times == []


@pytest.mark.parametrize("answer", [httpx.Response(200, headers={"Consistency": "stale"}), httpx.Response(503)])
@pytest.mark.usefixtures("asked")
def test_a_note_that_does_not_show_in_time_is_named(folder: Folder) -> None:
    report = imported(folder)
    assert report.times == []
    assert report.untimed == f"{URL}/notes/{folder.note_id('one')}?min_version=1&wait=10 did not show it"


@pytest.mark.parametrize("answer", [httpx.Response(410)])
@pytest.mark.usefixtures("asked")
def test_a_note_deleted_meanwhile_is_not_missed(folder: Folder) -> None:
    report = imported(folder)
    assert (report.times, report.untimed) == ([], None)


@pytest.mark.parametrize("answer", [httpx.ConnectError("connection refused")])
@pytest.mark.usefixtures("asked")
def test_a_read_side_that_is_away_ends_the_measuring_with_a_reason(folder: Folder) -> None:
    assert str(imported(folder).untimed).endswith("cannot be read: connection refused")
