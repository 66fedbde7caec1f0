"""The time until a note is readable, over a read side in memory."""

from time import perf_counter

import httpx
import pytest

from tools.markdown_import import readable
from tools.markdown_import.readable import ReadableTimer
from tools.markdown_import.report import Report


class ReadSide:
    """Shows a note one version further each time it is asked."""

    def __init__(self, *statuses: int) -> None:
        self.asked: list[httpx.URL] = []
        self._statuses = list(statuses)

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.asked.append(request.url)
        status = self._statuses.pop(0) if self._statuses else 200
        return httpx.Response(status, json={"version": len(self.asked)})


async def watched(side: object, version: int = 1, patience: float = 5.0) -> Report:
    report = Report()
    transport = httpx.MockTransport(side)  # type: ignore[arg-type]
    async with ReadableTimer("http://read/", report, patience, transport=transport) as timer:
        timer.watch("a.md", "id", version, perf_counter())
        await timer.finish()
    return report


@pytest.fixture(autouse=True)
def no_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readable, "PAUSE_S", 0)


async def test_a_note_counts_once_it_shows_the_version() -> None:
    side = ReadSide(404, 503, 200)
    report = await watched(side, version=4)
    assert len(side.asked) == 4
    assert str(side.asked[0]) == "http://read/notes/id?min_version=4&wait=5"
    assert len(report.times) == 1
    assert report.times[0] > 0


async def test_a_note_that_does_not_show_in_time_is_late() -> None:
    report = await watched(ReadSide(), version=10**9, patience=0.1)
    assert (report.times, report.late) == ([], ["a.md"])


async def test_a_deleted_note_is_not_waited_for() -> None:
    report = await watched(ReadSide(410))
    assert (report.times, report.late, report.not_measured) == ([], [], None)


async def test_a_read_side_that_is_away_ends_the_measuring_with_a_reason() -> None:
    def away(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("connection refused")

    report = await watched(away)
    assert report.not_measured == "http://read cannot be read: connection refused"


async def test_a_note_that_finds_no_free_reader_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(readable, "READERS", 2)
    side, report = ReadSide(), Report()
    async with ReadableTimer("http://read/", report, 5, transport=httpx.MockTransport(side)) as timer:
        for number in range(5):
            timer.watch("a.md", f"id-{number}", 1, perf_counter())
        await timer.finish()
    assert [url.path for url in side.asked] == ["/notes/id-0", "/notes/id-1"]
    assert len(report.times) == 2
