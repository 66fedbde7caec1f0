"""Logs: one JSON object a line, or readable lines on a terminal. Nothing that somebody wrote is in them."""

import logging
import sys
import time
from types import TracebackType
from typing import Final

import structlog

from notes_chassis.exceptions import places_of_exceptions

OURS: Final = ("notes_chassis", "notes_command", "notes_query", "__main__")
"""Whose log is written from the level that is set. Libraries are heard from warnings on, whatever it is: below that
they tell statements with their parameters, documents, requests with their tokens, and URLs with their passwords."""
QUIETER: Final = {"faststream": logging.ERROR}
REPEAT_S: Final = 30.0
REMEMBERED: Final = 1000


def configure(level: str) -> None:
    """Send structlog's and the libraries' logs to standard error, ours from `level` on."""
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
            foreign_pre_chain=[*shared, first_line],
        )
    )
    handler.addFilter(Repeats())
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(level.upper())
    for name, threshold in QUIETER.items():
        logging.getLogger(name).setLevel(threshold)
    sys.excepthook = _uncaught


def first_line(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Cut a library's message to its first line: asyncio's next ones quote the exception of a task."""
    event["event"] = str(event.get("event", "")).partition("\n")[0]
    return event


def _uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    structlog.get_logger("notes_chassis").critical("ended by a bug", exc_info=error)


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
