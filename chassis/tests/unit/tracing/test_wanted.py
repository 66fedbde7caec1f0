"""Traces are wanted if a standard setting says so; a bad one is one sentence, and no start is refused for it."""

import sys

import pytest
from structlog.testing import capture_logs

from notes_chassis.tracing.start import start, wanted

HERE = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:4318"}


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, False),
        ({"OTEL_SERVICE_NAME": "x", "OTEL_TRACES_SAMPLER": "always_on"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": ""}, False),
        (HERE, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "https://collector.example/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({**HERE, "OTEL_TRACES_EXPORTER": "none"}, False),
        ({**HERE, "OTEL_SDK_DISABLED": "TRUE"}, False),
        ({**HERE, "OTEL_SDK_DISABLED": "no"}, True),
        ({**HERE, "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf", "OTEL_EXPORTER_OTLP_HEADERS": "a=b,c=d"}, True),
    ],
)
def test_which_settings_ask_for_traces(settings: dict[str, str], expected: bool) -> None:
    assert wanted(settings) is expected


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "s3cr3t"),
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "grpc://s3cr3t:4317"),
        ("OTEL_TRACES_EXPORTER", "s3cr3t"),
        ("OTEL_EXPORTER_OTLP_PROTOCOL", "s3cr3t"),
        ("OTEL_EXPORTER_OTLP_HEADERS", "s3cr3t"),
        ("OTEL_BSP_MAX_QUEUE_SIZE", "s3cr3t"),
        ("OTEL_BSP_SCHEDULE_DELAY", "-1"),
        ("OTEL_SPAN_LINK_COUNT_LIMIT", "-1"),
    ],
)
def test_a_bad_setting_is_one_sentence_that_names_it(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    for setting, text in {**HERE, name: value}.items():
        monkeypatch.setenv(setting, text)
    with capture_logs() as logs:
        assert start("notes", "1", lambda parent, state: (parent, state)) is None
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("no traces: a setting cannot be used", "warning")
    assert line["reason"].startswith(name)
    assert "s3cr3t" not in str(line)


def test_without_the_packages_there_are_no_traces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    monkeypatch.delitem(sys.modules, "notes_chassis.tracing.provider", raising=False)
    monkeypatch.setitem(sys.modules, "requests", None)
    with capture_logs() as logs:
        assert start("notes", "1", lambda parent, state: (parent, state)) is None
    assert [line["event"] for line in logs] == ["no traces: a package of the chassis' extra `tracing` is not installed"]
