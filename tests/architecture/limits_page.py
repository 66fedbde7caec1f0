"""docs/limits.md held against the code: every row names the constant or the setting that its number comes from."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pkgutil import resolve_name

from pydantic_settings import BaseSettings

from notes_command.settings import Settings as CommandSettings
from notes_query.settings import Settings as QuerySettings
from notes_web.settings import Settings as WebSettings

SETTINGS: tuple[type[BaseSettings], ...] = (CommandSettings, QuerySettings, WebSettings)
UNITS = {"": 1, "kB": 1_000, "KiB": 1024, "MiB": 1024**2, "ms": 0.001, "s": 1, "min": 60, "h": 3600, "days": 86_400}
_ROW = re.compile(r"^\| (?P<what>[^|]+) \| (?P<limit>[^|]+) \| `(?P<source>[^`|]+)` \|$", re.MULTILINE)
_LIMIT = re.compile(r"(?P<number>\d[\d,]*(?:\.\d+)?)(?: (?P<unit>[A-Za-z]+))?")


@dataclass(frozen=True)
class Row:
    """A limit, as the page states it: a number in its unit, and where it is defined."""

    what: str
    limit: str
    source: str


def rows(page: str) -> list[Row]:
    """Return the rows of all tables of the page, without their heads."""
    return [Row(**found.groupdict()) for found in _ROW.finditer(page)]


def stated(limit: str) -> float:
    """Return the number of a row in bytes, seconds or pieces. Raises ValueError where it is not a number and a unit."""
    found = _LIMIT.fullmatch(limit.strip())
    if found is None or (found["unit"] or "") not in UNITS:
        raise ValueError(f"not a number and a unit: {limit}")
    return float(found["number"].replace(",", "")) * UNITS[found["unit"] or ""]


def defined(source: str) -> set[float]:
    """Return the values that the code has for a source, of every service that has the setting.

    Constants and settings whose names end in `_ms` are milliseconds. Raises LookupError for a setting that nobody has.
    """
    if not source.startswith("NOTES_"):
        return {_scaled(source, resolve_name(source))}
    name = source.removeprefix("NOTES_").lower()
    found = {
        _scaled(name, settings.model_fields[name].default) for settings in SETTINGS if name in settings.model_fields
    }
    if not found:
        raise LookupError(f"no service has the setting {source}")
    return found


def complaints(page: str) -> Iterator[str]:
    """Yield a sentence for every row that the code contradicts."""
    for row in rows(page):
        try:
            values, said = defined(row.source), stated(row.limit)
        except (LookupError, ValueError, AttributeError, ImportError) as error:
            yield f"{row.what}: {error}"
            continue
        if values != {said}:
            yield f"{row.what}: the page says {row.limit}, {row.source} is {sorted(values)}"


def _scaled(name: str, value: float | timedelta) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return float(value) / 1000 if name.lower().endswith("_ms") else float(value)
