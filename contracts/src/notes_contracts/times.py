"""The form of every time in the system: UTC, cut to milliseconds, `2026-01-02T03:04:05.678Z`."""

from datetime import UTC, datetime
from functools import lru_cache
from typing import Annotated, Final

from pydantic import AfterValidator, Field, StringConstraints

# Not \d, which takes the digits of every script.
_DATE, _TIME = "[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}"


_CACHED_LENGTH: Final = 32
"""Longer texts are not cached: a sender can write the same time in a text of any length."""


def _existing(text: str) -> str:
    parse_time(text)
    return text


Timestamp = Annotated[
    str,
    StringConstraints(pattern=f"^{_DATE}T{_TIME}Z$"),
    AfterValidator(_existing),
    Field(json_schema_extra={"format": "date-time"}),
]
"""A time as text. A time that does not exist, such as the 30th of February, is refused."""


@lru_cache(maxsize=1024)  # a batch has the same few times again and again
def format_time(moment: datetime) -> str:
    """Return an aware UTC datetime in the form of the system, cut to milliseconds, not rounded."""
    return moment.isoformat(timespec="milliseconds")[:23] + "Z"


def parse_time(text: str) -> datetime:
    """Return the aware UTC datetime of a `Timestamp`. Raises ValueError for any other text."""
    return _parsed_cached(text) if len(text) <= _CACHED_LENGTH else _parsed(text)


def _parsed(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except OverflowError as error:  # year 1 or 9999 in another time zone
        raise ValueError("there is no such moment in UTC") from error


_parsed_cached = lru_cache(maxsize=1024)(_parsed)


def cut_to_milliseconds(moment: datetime) -> datetime:
    """Return the time cut to milliseconds, so that every store holds the same time."""
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def now() -> datetime:
    """Return the time of day as messages and stores have it."""
    return cut_to_milliseconds(datetime.now(UTC))
