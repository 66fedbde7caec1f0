"""Whether traces are wanted, by OpenTelemetry's own settings. Without these nothing of its SDK is imported.

A setting that cannot be used is logged. Then there are no traces, and the service runs all the same.
"""

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import structlog

from notes_chassis.settings import http_url
from notes_chassis.tracing import ValidTrace

if TYPE_CHECKING:
    from notes_chassis.tracing.spans import Tracing

log = structlog.get_logger()

ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS: Final = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_HEADERS: Final = ("OTEL_EXPORTER_OTLP_TRACES_HEADERS", "OTEL_EXPORTER_OTLP_HEADERS")
_NUMBERS: Final = (
    "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "OTEL_BSP_EXPORT_TIMEOUT",
)  # fmt: skip
"""For a bad number the SDK would log a traceback."""
_EXPORTER: Final = "OTEL_TRACES_EXPORTER"


def start(service: str, version: str, valid: ValidTrace) -> "Tracing | None":
    """Return Tracing with an exporter; None if no setting asks for traces, or one cannot be used.

    `service`: the service's name, unless `OTEL_SERVICE_NAME` or `OTEL_RESOURCE_ATTRIBUTES` gives another.
    """
    try:
        if not wanted(os.environ):
            return None
        from notes_chassis.tracing.provider import exporting  # noqa: PLC0415 - 8 MB and 0.4 s
        from notes_chassis.tracing.spans import Tracing  # noqa: PLC0415

        tracing = Tracing(exporting(service, version), valid)
    except ImportError as error:
        log.warning("no traces: a package of the chassis' extra `tracing` is not installed", package=error.name)
    except ValueError as error:  # of `wanted`, or of the SDK, whose text is about a setting, too
        log.warning("no traces: a setting cannot be used", reason=str(error))
    else:
        log.info("traces are exported")
        return tracing
    return None


def wanted(environ: Mapping[str, str]) -> bool:
    """Return whether a setting asks for traces. Raises ValueError, with a sentence without the value, for a bad one."""
    exporter = environ.get(_EXPORTER, "").strip().lower()
    endpoint = _first(environ, ENDPOINTS)
    if environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true" or exporter == "none":
        return False
    if not exporter and endpoint is None:
        return False
    if exporter not in {"", "otlp", "otlp_proto_http"}:
        raise ValueError(f"{_EXPORTER}: otlp or none is expected")
    if endpoint is not None:
        try:
            http_url(environ[endpoint])
        except ValueError as error:
            raise ValueError(f"{endpoint}: {error}") from None
    protocol = _first(environ, _PROTOCOLS)
    if protocol is not None and environ[protocol].strip().lower() != "http/protobuf":
        raise ValueError(f"{protocol}: http/protobuf is expected, which is all that there is")
    headers = _first(environ, _HEADERS)
    if headers is not None and not all("=" in pair for pair in environ[headers].split(",") if pair.strip()):
        raise ValueError(f"{headers}: name=value is expected, several of them separated by commas")
    for name in _NUMBERS:
        if not environ.get(name, "1").strip().isdigit():
            raise ValueError(f"{name}: a number is expected")
    return True


def _first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """Return the first of these settings that is set and not empty."""
    return next((name for name in names if environ.get(name)), None)
