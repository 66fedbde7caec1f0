"""Logs: one JSON object a line, or readable lines on a terminal."""

import logging
import sys
import time
from typing import Final

import structlog

from notes_chassis.exceptions import places_of_exceptions

QUIETED: Final = {
    "aiokafka": logging.WARNING,
    "faststream": logging.ERROR,
    "alembic": logging.WARNING,
    "uvicorn": logging.WARNING,
}
REPEAT_S: Final = 30.0
REMEMBERED: Final = 1000


def configure(level: str) -> None:
    """Send structlog's and the libraries' logs to standard error, from `level` on."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        places_of_exceptions,
    ]
    readable = sys.stderr.isatty()
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer() if readable else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level.upper())
    # The libraries say every fetch, rejoin and request; what matters of it is said by us.
    for name, threshold in QUIETED.items():
        logging.getLogger(name).setLevel(threshold)
    handler.addFilter(Repeats())


class Repeats(logging.Filter):
    """Lets the same message through once in a while: while Kafka is away, aiokafka says so ten times a second."""

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be written."""
        if not record.name.startswith("aiokafka"):
            return True
        message, now = (record.name, record.getMessage()[:100]), time.monotonic()
        if now - self._last.get(message, -REPEAT_S) < REPEAT_S:
            return False
        if len(self._last) >= REMEMBERED:
            self._last.clear()
        self._last[message] = now
        return True
