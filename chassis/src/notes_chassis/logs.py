"""Logs: one JSON object a line, or readable lines on a terminal. They never hold what a user wrote.

Of an exception its kind and its place are logged, never its message: a ValueError quotes what it could not read,
SQLAlchemy's errors quote all parameters and PyMongo's the document. The message of an OSError, which names addresses,
is logged. Administrative acts are all logged, whether they came over HTTP or from the command line.
"""

import argparse
import logging
import os
import pwd
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from types import TracebackType
from typing import Any, Final

import structlog

from notes_chassis.tracing import name_span

OURS: Final = ("notes_chassis", "notes_command", "notes_query", "__main__")
"""Loggers with the level that is set. Libraries log warnings and errors only, whatever it is: below that they quote
statements with their parameters, documents, requests with their tokens, and URLs with their passwords."""
QUIETER: Final = {
    "faststream": logging.ERROR,
    # They quote headers with tokens, addresses, and what strangers sent; tracing/provider.py logs what matters.
    "opentelemetry.exporter": logging.CRITICAL,
    "opentelemetry.trace": logging.CRITICAL,
    "opentelemetry.util": logging.CRITICAL,
    "urllib3": logging.CRITICAL,
}
REPEAT_S: Final = 30.0
REMEMBERED: Final = 1000
IDS_LOGGED: Final = 20
"""Ids of one act that are logged; `count` says how many there are."""
_READ_ONLY: Final = frozenset({"list", "gaps", "builds", "verify"})
"""Actions and commands that change nothing."""

log = structlog.get_logger()


def configure(level: str) -> None:
    """Send structlog's and the libraries' logs to standard error, those of OURS from `level` on."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        name_span,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        places_of_exceptions,
    ]
    renderer: structlog.typing.Processor = structlog.processors.JSONRenderer()
    if sys.stderr.isatty():
        renderer = structlog.dev.ConsoleRenderer()
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
    """Cut a library's message to its first line: further lines of asyncio's quote the exception of a task."""
    event["event"] = str(event.get("event", "")).partition("\n")[0]
    return event


def _uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    structlog.get_logger("notes_chassis").critical("ended by a bug", exc_info=error)


class Repeats(logging.Filter):
    """Lets a message through once in REPEAT_S: aiokafka logs ten times a second that Kafka is away, for example.

    The same for our own lines that say `often`, by event, error and code: during an outage each request writes one.
    `unsaid`: how many were left out since the one before.
    """

    def __init__(self) -> None:
        super().__init__()
        self._last: dict[tuple[str, str], float] = {}
        self._unsaid = Counter[tuple[str, str]]()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is to be written."""
        ours: Any = record.msg if isinstance(record.msg, dict) else {}
        if ours.pop("often", False):
            text = f"{ours['event']} {ours.get('error')} {ours.get('code')}"
        elif record.name.startswith(("aiokafka", "opentelemetry")):
            text = record.getMessage()
        else:
            return True
        now = time.monotonic()
        message = (record.name, text[:100])
        if now - self._last.get(message, -REPEAT_S) < REPEAT_S:
            self._unsaid[message] += 1
            return False
        if len(self._last) >= REMEMBERED:
            self._last.clear()
            self._unsaid.clear()
        self._last[message] = now
        if ours and (unsaid := self._unsaid.pop(message, 0)):
            ours["unsaid"] = unsaid
        return True


def kind_and_place(error: BaseException) -> str:
    """Return the kind of an exception and the line that raised it, such as `KeyError in fold_batch.py, line 120`."""
    frames = traceback.extract_tb(error.__traceback__)
    kind = type(error).__qualname__
    return f"{kind} in {PurePath(frames[-1].filename).name}, line {frames[-1].lineno}" if frames else kind


def places_of_exceptions(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Replace `exc_info` by the kinds and places of the exceptions, causes first; a processor of structlog."""
    info = event.pop("exc_info", None)
    error: BaseException | None = None
    if isinstance(info, BaseException):
        error = info
    elif isinstance(info, tuple):
        error = info[1]
    if error is None and info:
        error = sys.exc_info()[1]
    if error is not None:
        event["exception"] = "\n".join(map(_traceback_and_kind, reversed(list(causes(error)))))
    return event


def kinds_of(error: BaseException) -> str:
    """Return the kinds of an exception and of its causes, on one line."""
    return " < ".join(map(_kind, causes(error)))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, what caused it, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _kind(error: BaseException) -> str:
    kind = type(error).__qualname__
    if sqlstate := getattr(error, "sqlstate", None):
        kind += f" ({sqlstate})"
    return f"{kind}: {error}" if isinstance(error, OSError) else kind


def _traceback_and_kind(error: BaseException) -> str:
    return "".join(traceback.format_tb(error.__traceback__)) + _kind(error)


def log_act(way: str, who: str, act: str, result: object, ids: Sequence[str] = (), **what: Any) -> None:
    """Log an administrative act: who did what to what, and its result. `way`: `http` or `command line`."""
    if ids:
        what |= {"ids": list(ids[:IDS_LOGGED]), "count": len(ids)}
    log.info("administrative act", way=way, who=who, act=act, result=result, **what)


def log_command(arguments: argparse.Namespace, code: int) -> None:
    """Log a command that this process's user gave on the command line, unless it only reads."""
    given = {name: value for name, value in vars(arguments).items() if value not in (None, False, [])}
    act = [given.pop("command")]
    if "action" in given:
        act.append(given.pop("action"))
    only_reads = act[-1] in _READ_ONLY or (act == ["outbox"] and not given.keys() & {"unpark", "drop"})
    if only_reads:
        return
    ids = [str(id_) for id_ in given.pop("ids", ())]
    what = {name: value if isinstance(value, bool | int) else str(value) for name, value in given.items()}
    result = "done" if code == 0 else f"exit code {code}"
    log_act("command line", _user(), " ".join(act), result, ids, **what)


def _user() -> str:
    """Return the process's user, not from the environment, which anybody may set."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        return f"uid {os.getuid()}"
