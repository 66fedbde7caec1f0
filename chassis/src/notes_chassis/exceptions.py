"""What may be said of an exception: its kind and its place, never its message.

A ValueError quotes what it could not read, SQLAlchemy's errors quote all parameters and PyMongo's the document, so a
message can hold what a user wrote. OSError names addresses, and is kept in the log.
"""

import sys
import traceback
from collections.abc import Iterator
from pathlib import PurePath

import structlog


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
