"""The statements of the batch: constant texts, one for each table, with columns of values (columns.py) as parameters.

`unnest` carries any number of rows in one statement whose text never changes, so it is planned once and compiled
never; SQLAlchemy's multi-row VALUES costs 100 µs a row to compile.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from itertools import compress
from operator import attrgetter
from typing import Any, Final

from notes_command.columns import Columns, columns, encoded, ids, numbers, tags, texts, times, words
from notes_command.domain.note import Note, Status
from notes_command.outbox.row import INSERT_ROWS, pack_headers
from notes_command.pipeline.decide import DeadLetter, Outcome
from notes_command.pipeline.decode import type_in
from notes_command.signals import CHANNEL
from notes_contracts import Code

_PARAMETER: Final = re.compile(r"\$(\d+)")
_topic: Final = re.compile(r"[A-Za-z0-9._-]+").fullmatch

IMPATIENT: Final = "SET LOCAL lock_timeout = '200ms'; "
_NOTE_FORMS: Final = (ids, texts, texts, tags, texts, words, numbers, times, times)
_OUTCOME_FORMS: Final = (ids, ids, ids, words, numbers, texts, texts, times, ids, texts, texts)
_note_values: Callable[[Note], tuple[Any, ...]] = attrgetter(
    "id", "title", "body", "tags", "author", "status", "version", "created_at", "updated_at"
)


def begin(topic: str, partitions: Iterable[int], *, patient: bool = True) -> str:
    """Return what begins a transaction and takes the source partitions, in one round trip.

    Such a text takes no parameters. A topic's name has no quotes: Kafka allows letters, digits, `.`, `_` and `-`.
    """
    if not _topic(topic):
        raise ValueError(f"not the name of a topic: {topic!r}")
    taken = ", ".join(f"pg_advisory_xact_lock(hashtext('{topic}'), {partition:d})" for partition in sorted(partitions))
    return f"BEGIN; {'' if patient else IMPATIENT}SELECT {taken}"


OUTCOMES: Final = """
SELECT id::text, command_id::text, note_id::text, status, version, code, message, at, digest, authtype, authid
FROM inbox WHERE command_id = ANY($1::uuid[])
"""

_NOTE: Final = """
SELECT id::text, title, body, tags, author, status, version, created_at, updated_at FROM notes
"""
NOTE: Final = f"{_NOTE} WHERE id = $1::uuid"
# In id order, so that two instances with the same notes wait for each other instead of deadlocking.
NOTES_FOR_UPDATE: Final = f"{_NOTE} WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"

INSERT_NOTES: Final = """
INSERT INTO notes (id, title, body, tags, author, status, version, created_at, updated_at)
SELECT id, title, body, tags::text[], author, status, version, created_at, updated_at
FROM unnest($1::text::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text::text[], $7::text::int[],
            $8::text::timestamptz[], $9::text::timestamptz[])
  AS t (id, title, body, tags, author, status, version, created_at, updated_at)
"""

UPDATE_NOTES: Final = """
UPDATE notes SET title = t.title, body = t.body, tags = t.tags::text[], author = t.author, status = t.status,
                 version = t.version, updated_at = t.updated_at
FROM unnest($1::text::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text::text[], $7::text::int[],
            $8::text::timestamptz[], $9::text::timestamptz[])
  AS t (id, title, body, tags, author, status, version, created_at, updated_at)
WHERE notes.id = t.id
"""

INSERT_INBOX: Final = """
INSERT INTO inbox (id, command_id, note_id, status, version, code, message, at, digest, authtype, authid)
SELECT * FROM unnest($1::text::uuid[], $2::text::uuid[], $3::text::uuid[], $4::text::text[], $5::text::int[],
                     $6::text[], $7::text[], $8::text::timestamptz[], $9::text::text[], $10::text[], $11::text[])
"""

# The same record at the same offset is the same dead letter. Another record there, of a recreated topic, is another.
# Each part is hashed by itself, so that no two records look alike. Only who locked the source partition inserts here.
INSERT_DEAD_LETTERS: Final = """
INSERT INTO dead_letters (topic, partition, "offset", key, value, headers, type, command_id, note_id, code, reason, at,
                          record)
SELECT t.*, CASE WHEN known.place IS NULL THEN '' ELSE left(encode(sha256(
    ((t.key IS NULL)::int || ',' || (t.value IS NULL)::int)::bytea || sha256(coalesce(t.key, ''))
    || sha256(coalesce(t.value, '')) || sha256(t.headers)), 'hex'), 16) END
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::text[], $8::uuid[],
            $9::uuid[], $10::text[], $11::text[], $12::timestamptz[])
  AS t (topic, partition, o, key, value, headers, type, command_id, note_id, code, reason, at)
LEFT JOIN LATERAL (
    SELECT true AS place, bool_or((d.key, d.value, d.headers) IS NOT DISTINCT FROM (t.key, t.value, t.headers)) AS same
    FROM dead_letters d WHERE (d.topic, d.partition, d."offset") = (t.topic, t.partition, t.o) HAVING count(*) > 0
) AS known ON true
WHERE known.same IS NOT TRUE
ON CONFLICT DO NOTHING
RETURNING topic, partition, "offset"
"""

_SAVES: Final = (INSERT_NOTES, UPDATE_NOTES, INSERT_INBOX, INSERT_ROWS)
"""What a batch stores, in the order of its parts."""


@cache
def save(*parts: bool) -> str:
    """Return the statement that stores these of the four parts in one round trip, and announces it under a name.

    Its parameters are those of the parts, one after the other, and the name. The parts may run in any order. That
    is safe: changed notes are locked before, so that their rows in the outbox come after those of earlier
    transactions; and of two transactions that create one note, one is rolled back.
    """
    steps: list[str] = []
    parameters = 0
    for statement in compress(_SAVES, parts):
        steps.append(f"step_{len(steps)} AS ({shifted(statement, parameters)})")
        parameters += count_parameters(statement)
    return f"WITH {', '.join(steps)} SELECT pg_notify('{CHANNEL}', ${parameters + 1})"


def count_parameters(statement: str) -> int:
    """Return how many parameters a statement has."""
    return len(set(_PARAMETER.findall(statement)))


def shifted(statement: str, by: int) -> str:
    """Return the statement with the numbers of its parameters raised."""
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + by}", statement)


def note_columns(notes: Iterable[Note]) -> Columns:
    """Return the parameters of `INSERT_NOTES` and `UPDATE_NOTES`."""
    return encoded(map(_note_values, notes), _NOTE_FORMS)


def outcome_columns(outcomes: Iterable[Outcome]) -> Columns:
    """Return the parameters of `INSERT_INBOX`."""
    return encoded(outcomes, _OUTCOME_FORMS)


def dead_letter_columns(dead_letters: Sequence[DeadLetter]) -> Columns:
    """Return the parameters of `INSERT_DEAD_LETTERS`."""
    names = ("topic", "partition", "offset", "key", "value")
    source = columns([dead_letter.source for dead_letter in dead_letters], names)
    headers = [pack_headers(dead_letter.source.headers) for dead_letter in dead_letters]
    types = [type_in(dead_letter.source) for dead_letter in dead_letters]
    return (*source, headers, types, *columns(dead_letters, ("command_id", "note_id", "code", "reason", "at")))


def note_of(row: Sequence[Any]) -> Note:
    """Return the note in a row of `NOTE` or `NOTES_FOR_UPDATE`."""
    id_, title, body, tags, author, status, version, created_at, updated_at = row
    return Note(id_, title, body, tuple(tags), author, Status(status), version, created_at, updated_at)


def outcome_of(row: Sequence[Any]) -> Outcome:
    """Return the outcome in a row of `OUTCOMES`."""
    id_, command_id, note_id, status, version, code, *rest = row
    return Outcome(id_, command_id, note_id, status, version, None if code is None else Code(code), *rest)
