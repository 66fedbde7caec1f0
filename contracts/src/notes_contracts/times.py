"""The one form of time in the system: UTC, cut to milliseconds, `2026-01-02T03:04:05.678Z`."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

# Not \d, which takes the digits of every script.
_DATE, _TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}"


_CACHED_LENGTH: Final = 32
"""Longer texts of the same moment exist, of any length, and come from strangers."""


def _which_exists(text: str) -> str:
    parse_time(text)
    return text


Timestamp = Annotated[
    str,
    StringConstraints(pattern=f"^{_DATE}T{_TIME}Z$"),
    AfterValidator(_which_exists),
    Field(json_schema_extra={"format": "date-time"}),
]
"""A moment as text. The 30th of February has the form and is refused all the same."""


@lru_cache(maxsize=1024)  # a batch says the same few times again and again
def format_time(moment: datetime) -> str:
    """Return an aware UTC datetime in the system's form; what is below a millisecond is cut, not rounded."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def parse_time(text: str) -> datetime:
    """Return the aware datetime of a `Timestamp`. Raises ValueError for a text that is none."""
    return _parsed_before(text) if len(text) <= _CACHED_LENGTH else _parsed(text)


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:  # the year 1 or 9999 of a zone may be none in UTC
        raise ValueError("there is no such moment in UTC") from error


_parsed_before = lru_cache(maxsize=1024)(_parsed)
"""Likewise."""


def cut_to_milliseconds(moment: datetime) -> datetime:
    """Return `moment` without what is below a millisecond, so that every store holds the same instant."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def now() -> datetime:
    """Return the time of day as messages and stores have it."""
    return cut_to_milliseconds(datetime.now(UTC))
