"""Rows to objects and back: the only place that knows the order of columns."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any

from notes_command.application.result import Outcome
from notes_command.domain.note import Note, Status
from notes_contracts import Code

Columns = tuple[list[Any], ...]


def columns(items: Iterable[Any], names: Sequence[str], width: int) -> Columns:
    """Return the named attributes of the items, turned into one list for each column."""
    get: Callable[[Any], tuple[Any, ...]] = attrgetter(*names)
    return turned(map(get, items), width)


def turned(rows: Iterable[Sequence[Any]], width: int) -> Columns:
    """Return rows as one list for each column."""
    found = tuple(map(list, zip(*rows, strict=True)))
    assert len(found) == width, "one parameter for each column of the statement"
    return found


def note_columns(notes: Iterable[Note]) -> Columns:
    """Return the columns of notes; tags as array literals, since `unnest` would take nested lists apart."""
    names = ("id", "title", "body", "tags", "author", "status", "version", "created_at", "updated_at")
    found = columns(notes, names, 9)
    found[3][:] = ["{" + ",".join(f'"{tag}"' for tag in tags) + "}" for tags in found[3]]
    return found


def note_of(row: Sequence[Any]) -> Note:
    """Return the note in a row of `NOTE` or `NOTES_FOR_UPDATE`."""
    id_, title, body, tags, author, status, version, created_at, updated_at = row
    return Note(id_, title, body, tuple(tags), author, Status(status), version, created_at, updated_at)


def outcome_of(row: Sequence[Any]) -> Outcome:
    """Return the outcome in a row of `OUTCOMES`."""
    id_, command_id, note_id, status, version, code, message, at, digest = row
    return Outcome(id_, command_id, note_id, status, version, None if code is None else Code(code), message, at, digest)
