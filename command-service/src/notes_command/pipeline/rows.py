"""Notes and outcomes as rows: the only place that knows the order of their columns."""

from collections.abc import Callable, Iterable, Sequence
from operator import attrgetter
from typing import Any, Final

from notes_command.domain.note import Note, Status
from notes_command.pipeline.result import Outcome
from notes_command.postgres.columns import Columns, encoded, ids, numbers, tags, texts, times, words
from notes_contracts import Code

_NOTE: Final = (ids, texts, texts, tags, texts, words, numbers, times, times)
_OUTCOME: Final = (ids, ids, ids, words, numbers, texts, texts, times, ids)
_note_values: Callable[[Note], tuple[Any, ...]] = attrgetter(
    "id", "title", "body", "tags", "author", "status", "version", "created_at", "updated_at"
)


def note_columns(notes: Iterable[Note]) -> Columns:
    """Return the parameters of `INSERT_NOTES` and `UPDATE_NOTES`."""
    return encoded(map(_note_values, notes), _NOTE)


def outcome_columns(outcomes: Iterable[Outcome]) -> Columns:
    """Return the parameters of `INSERT_INBOX`."""
    return encoded(outcomes, _OUTCOME)


def note_of(row: Sequence[Any]) -> Note:
    """Return the note in a row of `NOTE` or `NOTES_FOR_UPDATE`."""
    id_, title, body, tags, author, status, version, created_at, updated_at = row
    return Note(id_, title, body, tuple(tags), author, Status(status), version, created_at, updated_at)


def outcome_of(row: Sequence[Any]) -> Outcome:
    """Return the outcome in a row of `OUTCOMES`."""
    id_, command_id, note_id, status, version, code, message, at, digest = row
    return Outcome(id_, command_id, note_id, status, version, None if code is None else Code(code), message, at, digest)
