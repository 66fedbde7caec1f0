"""Logs: one JSON object a line, or readable lines on a terminal."""

import logging
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Final

import structlog

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


def places_of_exceptions(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace `exc_info` by kinds and places of the exceptions, causes first; a processor of structlog.

    Their messages stay out: a ValueError quotes what it could not read, and SQLAlchemy's errors quote all parameters,
    which would put the notes themselves into the log. OSError's name addresses and are kept.
    """
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else None
    if error is None and info:
        error = sys.exc_info()[1]
    if error is not None:
        event["exception"] = "\n".join(map(_place, reversed(list(_chain(error)))))
    return event


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _place(error: BaseException) -> str:
    said = f": {error}" if isinstance(error, OSError) else ""
    return "".join(traceback.format_tb(error.__traceback__)) + type(error).__qualname__ + said


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
