"""Logs: one JSON object a line, or readable lines on a terminal. Nothing that somebody wrote is in them.

Of an exception its kind and its place may be said, never its message: a ValueError quotes what it could not read,
SQLAlchemy's errors quote all parameters and PyMongo's the document. OSError names addresses, and is kept in the log.
Administrative acts are all logged, whichever way they came in.
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
"""Whose log is written from the level that is set. Libraries are heard from warnings on, whatever it is: below that
they tell statements with their parameters, documents, requests with their tokens, and URLs with their passwords."""
QUIETER: Final = {
    "faststream": logging.ERROR,
    # They quote headers with tokens, what strangers sent, and addresses; tracing/provider.py says what matters.
    "opentelemetry.exporter": logging.CRITICAL,
    "opentelemetry.trace": logging.CRITICAL,
    "opentelemetry.util": logging.CRITICAL,
    "urllib3": logging.CRITICAL,
}
REPEAT_S: Final = 30.0
REMEMBERED: Final = 1000

log = structlog.get_logger()
IDS_LOGGED: Final = 20
"""Ids that the log names of one act; `count` says how many there are."""
_LOOKS: Final = frozenset({"list", "gaps", "builds", "verify"})
"""Actions and commands that only look."""


def configure(level: str) -> None:
    """Send structlog's and the libraries' logs to standard error, ours from `level` on."""
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
    """Cut a library's message to its first line: asyncio's next ones quote the exception of a task."""
    event["event"] = str(event.get("event", "")).partition("\n")[0]
    return event


def _uncaught(_: type[BaseException], error: BaseException, __: TracebackType | None) -> None:
    structlog.get_logger("notes_chassis").critical("ended by a bug", exc_info=error)


class Repeats(logging.Filter):
    """Lets a message through once in REPEAT_S: aiokafka says ten times a second that Kafka is away, for example.

    So it does with lines of ours that say `often`, by event, error and code: during an outage each request writes one.
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
        message, now = (record.name, text[:100]), time.monotonic()
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
    """Replace `exc_info` by kinds and places of the exceptions, causes first; a processor of structlog."""
    info = event.pop("exc_info", None)
    error = info if isinstance(info, BaseException) else info[1] if isinstance(info, tuple) else None
    if error is None and info:
        error = sys.exc_info()[1]
    if error is not None:
        event["exception"] = "\n".join(map(_place, reversed(list(causes(error)))))
    return event


def kinds_of(error: BaseException) -> str:
    """Return the kinds of an exception and its causes on one line: what a log line says beside its own words."""
    return " < ".join(map(_kind, causes(error)))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception, what caused it, and so on."""
    while error is not None:
        yield error
        error = error.__cause__ or (None if error.__suppress_context__ else error.__context__)


def _kind(error: BaseException) -> str:
    said = f": {error}" if isinstance(error, OSError) else ""
    sqlstate = getattr(error, "sqlstate", None)
    return type(error).__qualname__ + (f" ({sqlstate})" if sqlstate else "") + said


def _place(error: BaseException) -> str:
    return "".join(traceback.format_tb(error.__traceback__)) + _kind(error)


def log_act(way: str, who: str, act: str, result: object, ids: Sequence[str] = (), **what: Any) -> None:
    """Log an act: who did what to what, and what came of it. `way`: `http` or `command line`."""
    if ids:
        what |= {"ids": list(ids[:IDS_LOGGED]), "count": len(ids)}
    log.info("administrative act", way=way, who=who, act=act, result=result, **what)


def log_command(arguments: argparse.Namespace, code: int) -> None:
    """Log a command that was given on the command line by this process's user, unless it only looked."""
    given = {name: value for name, value in vars(arguments).items() if value not in (None, False, [])}
    act = [given.pop("command"), *([given.pop("action")] if "action" in given else [])]
    only_looked = act[-1] in _LOOKS or (act == ["outbox"] and not given.keys() & {"unpark", "drop"})
    if not only_looked:
        ids = [str(one) for one in given.pop("ids", ())]
        what = {name: value if isinstance(value, bool | int) else str(value) for name, value in given.items()}
        result = "done" if code == 0 else f"exit code {code}"
        log_act("command line", _user(), " ".join(act), result, ids, **what)


def _user() -> str:
    """Return the process's user. The environment, which anybody may set, is not asked."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container's user need not have a name
        return f"uid {os.getuid()}"
