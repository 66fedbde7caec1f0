"""Columns of values as parameters of a statement."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from functools import lru_cache
from operator import attrgetter
from typing import Any, Final, NamedTuple

from notes_contracts import format_time

Columns = tuple[Any, ...]
Form = Callable[[Sequence[Any]], Any]
"""Makes one parameter of a column of values.

asyncpg encodes an array value by value, but one text at once, and joining is nearly free. Measured, µs for a value here
and in the server:

    uuid    as an array 0.35 + 0.1    as a literal 0.1 + 0.8
    id      as an array 0.3 + 0.15    as a literal 0.1 + 0.4    as a text that the server splits 0.1 + 0.15
    int     as an array 0.2 + 0.1     as a literal 0.1 + 0.15
    time    as an array 0.7 + 0.15    as a literal 0.1 + 0.6

So uuids and what people wrote become arrays (`$1::uuid[]`), ids one text (`string_to_array($1::text, ',', '')`), all
else a literal (`$1::text::int[]`). Use literals for `unnest`, which reads them once: in `= ANY(...)` PostgreSQL may
read a literal again for every row of the table.
"""


class Column(NamedTuple):
    """A column that a statement writes. `type` is PostgreSQL's."""

    name: str
    type: str
    form: Form


def ids(values: Iterable[str | None]) -> str:
    """Return one text of ids, which have no comma in them. An empty one becomes NULL, as None does."""
    return ",".join([value or "" for value in values])


def numbers(values: Iterable[int | None]) -> str:
    """Return the literal of integers."""
    return "{" + ",".join(["NULL" if value is None else str(value) for value in values]) + "}"


def times(values: Iterable[datetime]) -> str:
    """Return the literal of aware UTC datetimes, cut to milliseconds."""
    return "{" + ",".join(map(format_time, values)) + "}"


def words(values: Iterable[str]) -> str:
    """Return the literal of any texts. Quoted texts are cached, so there should be few different ones."""
    return "{" + ",".join(map(_quoted, values)) + "}"


def texts(values: Sequence[Any]) -> list[Any]:
    """Return the values as a list for asyncpg. Where all are None, the list is empty: `unnest` fills it with NULL."""
    return [] if values.count(None) == len(values) else list(values)


@lru_cache(maxsize=256)
def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def tags(values: Iterable[tuple[str, ...]]) -> list[str]:
    """Return a literal for each note: `unnest` would take nested arrays apart."""
    return ["{" + ",".join([f'"{tag}"' for tag in tags_of_note]) + "}" for tags_of_note in values]


_LITERALS: Final = (numbers, times, words)


def names_of(table: Iterable[Column]) -> str:
    """Return the names of the columns, separated by commas."""
    return ", ".join(column.name for column in table)


def parameters_of(table: Iterable[Column], first: int = 1) -> str:
    """Return the arguments of `unnest`, from parameter `$first` on: `$1::uuid[], $2::text::int[], ...`."""
    return ", ".join(_argument(number, column) for number, column in enumerate(table, first))


def _argument(number: int, column: Column) -> str:
    if column.form is ids:
        return f"string_to_array(${number}::text, ',', '')"
    return f"${number}::{'text::' if column.form in _LITERALS else ''}{column.type}[]"


def encoded(rows: Iterable[Sequence[Any]], table: Sequence[Column]) -> Columns:
    """Return one parameter for each column of the table. A row has its values in the order of the columns."""
    return tuple(column.form(values) for column, values in zip(table, zip(*rows, strict=True), strict=True))


def columns(items: Iterable[Any], names: Sequence[str]) -> Columns:
    """Return one list for each name: that attribute of every item. There has to be at least one item."""
    get: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)
    return tuple(map(list, zip(*map(get, items), strict=True)))
