"""The one form of time in the system: UTC, cut to milliseconds, `2026-01-02T03:04:05.678Z`."""

from datetime import UTC, datetime
from typing import Annotated

from pydantic import StringConstraints

Timestamp = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]


def format_time(moment: datetime) -> str:
    """Return an aware UTC datetime in the system's form; what is below a millisecond is cut, not rounded."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def parse_time(text: str) -> datetime:
    """Return the aware datetime of a `Timestamp`. Raises ValueError for a text that is none."""
    return datetime.fromisoformat(text).astimezone(UTC)


def cut_to_milliseconds(moment: datetime) -> datetime:
    """Return `moment` without what is below a millisecond, so that every store holds the same instant."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)
