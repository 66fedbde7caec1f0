"""Spans leave over OTLP; a collector that is away, hangs or answers nonsense holds up nothing and is told once."""

import logging
import time
from collections.abc import Iterator

import pytest
from structlog.testing import capture_logs

from notes_chassis import logs as chassis_logs
from notes_chassis.tracing import spans as module
from notes_chassis.tracing.spans import Tracing
from notes_chassis.tracing.start import start
from tests.harness.collector import Collector, collecting
from tests.harness.waiting import eventually

AWAY = "http://127.0.0.1:9"


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.address)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        yield collector


def started() -> Tracing:
    tracing = start("notes-command", "1.2.3", lambda parent, state: (parent, state))
    assert tracing is not None
    return tracing


def make(tracing: Tracing, count: int = 1) -> None:
    for _ in range(count):
        with tracing.batch("commands", "group", 1):
            pass


async def test_what_ends_is_exported_at_the_end_too(collector: Collector, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    tracing = started()
    make(tracing)
    await tracing.close()
    assert [(span.service, span.name) for span in collector.spans] == [("notes-command", "process commands")]


@pytest.mark.parametrize(
    ("settings", "service"),
    [
        ({"OTEL_SERVICE_NAME": "mine"}, "mine"),
        ({"OTEL_RESOURCE_ATTRIBUTES": "service.name=ours,team=a"}, "ours"),
        ({}, "notes-command"),
    ],
)
async def test_a_service_is_called_as_the_settings_say(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, settings: dict[str, str], service: str
) -> None:
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    tracing = started()
    make(tracing)
    await tracing.close()
    assert [span.service for span in collector.spans] == [service]


@pytest.mark.parametrize(
    ("status", "hangs_s", "answer", "reason"),
    [
        (500, 0.0, b"tok3n " * 100, "HTTP 500"),
        (302, 0.0, b"", None),
        (200, 0.0, b"x" * 5_000_000, None),
        (429, 0.0, b"", "HTTP 429"),
        (200, 60.0, b"", "ReadTimeout"),
    ],
)
async def test_a_bad_answer_ends_nothing_and_is_told_once(
    collector: Collector,
    monkeypatch: pytest.MonkeyPatch,
    *,
    status: int,
    hangs_s: float,
    answer: bytes,
    reason: str | None,
) -> None:
    collector.status, collector.hangs_s, collector.answer = status, hangs_s, answer
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "0.3")
    with capture_logs() as logs:
        tracing = started()
        for _ in range(5):
            asked = len(collector.paths)
            make(tracing, 10)
            await eventually(lambda: len(collector.paths), lambda found: found > asked)
        await tracing.close()
    told = [line for line in logs if line["event"] == "spans were not exported"]
    assert [line["reason"] for line in told] == [reason] * (reason is not None)
    assert "tok3n" not in str(logs)


async def test_neither_the_work_nor_the_end_waits_for_a_collector_that_hangs(
    collector: Collector, monkeypatch: pytest.MonkeyPatch
) -> None:
    collector.hangs_s = 20.0
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "120")
    monkeypatch.setattr(module, "FLUSH_S", 0.3)
    tracing = started()
    make(tracing)
    await eventually(lambda: collector.paths)
    make(tracing, 10)
    before = time.monotonic()
    await tracing.close()
    assert time.monotonic() - before > 0.2, "it gives the last spans some time"
    assert collector.answered == 0


async def test_the_queue_is_bounded_and_full_is_told_once(
    collector: Collector, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", AWAY)
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "16")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
    monkeypatch.setattr(module, "FLUSH_S", 0.1)
    for name, level in chassis_logs.QUIETER.items():
        monkeypatch.setattr(logging.getLogger(name), "level", level)
    caplog.handler.addFilter(chassis_logs.Repeats())
    tracing = started()
    make(tracing, 1000)
    await tracing.close()
    assert {record.getMessage() for record in caplog.records} <= {"Queue full, dropping Span."}
    assert len(caplog.records) <= 1
