"""The statements of the batch: constant texts, with columns of values (columns.py) as parameters.

`unnest` carries any number of rows in one statement whose text never changes, so it is planned once and compiled
never; SQLAlchemy's multi-row VALUES costs 100 µs a row to compile.

Where nobody interferes there are two: read without locks, then store if all is as it was read. The second is a
transaction of its own, so no lock is held while a client thinks, and a batch costs two round trips to PostgreSQL
instead of five. What may have changed between the two:

- a note that was read: it is updated only at the version that was read, and if one was not, the statement fails;
- a note or an outcome that was not there: its key has been taken, and the statement fails.

Either is a Conflict, and the batch is decided again behind locks (store.py).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
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

# As of one moment: outcomes, and notes, which have no command id.
LOOK: Final = """
SELECT id::text, command_id::text, note_id::text, status, version, code, message, at, digest, authtype, authid,
       NULL, NULL, NULL, NULL, NULL, NULL
FROM inbox WHERE command_id = ANY($1::uuid[])
UNION ALL
SELECT id::text, NULL, NULL, status, version, NULL, NULL, NULL, NULL, NULL, NULL,
       title, body, tags, author, created_at, updated_at
FROM notes WHERE id = ANY($2::uuid[])
"""
_FIRST: Final = 3
"""Parameters before those of the steps: the topic, its partitions, and the name under which it is announced."""
# A subquery runs to its end before the first row is written. So the locks are taken before everything, in their order,
# and notes are locked before the outbox gives out positions.
_CLAIM: Final = """
claim AS MATERIALIZED (
    SELECT count(taken) AS taken FROM (
        SELECT pg_advisory_xact_lock(hashtext($1::text), partition) AS taken FROM unnest($2::int[]) AS t (partition)
    ) AS locks
)
"""
_CLAIMED: Final = "(SELECT taken FROM claim) >= 0"
# Divides by zero if a note is not as it was read. Nothing else divides, so postgres.py takes that error for a conflict.
_UNCHANGED: Final = "1 / ((SELECT count(*) FROM updated) = cardinality({before}::int[]))::int = 1"
# Notes that were locked when they were read have no version `before`: nobody can have changed them.
_UPDATE: Final = """
UPDATE notes SET title = t.title, body = t.body, tags = t.tags::text[], author = t.author, status = t.status,
                 version = t.version, updated_at = t.updated_at
FROM unnest($1::text::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text::text[], $7::text::int[],
            $8::text::timestamptz[], $9::text::timestamptz[], $10::int[])
  AS t (id, title, body, tags, author, status, version, created_at, updated_at, before)
WHERE notes.id = t.id AND notes.version = coalesce(t.before, notes.version)
"""
_STEPS: Final = (
    ("created", f"{INSERT_NOTES} WHERE {_CLAIMED}"),
    ("updated", f"{_UPDATE} AND {_CLAIMED} RETURNING notes.id"),
    ("answered", f"{INSERT_INBOX} WHERE {_CLAIMED}"),
    ("leaving", f"{INSERT_ROWS} WHERE {_CLAIMED} AND {{unchanged}} RETURNING position"),
)


@cache
def store(*parts: bool, announced: bool) -> str:
    """Return the statement that stores these of the four parts if nothing has changed since they were read.

    Its parameters are topic, partitions, name, and those of the parts. It returns the first and the last position of
    the rows for the outbox, and whether any other row is parked.
    """
    steps, used, unchanged = [_CLAIM], _FIRST, "true"
    for name, statement in compress(_STEPS, parts):
        count = len(set(_PARAMETER.findall(statement)))
        if name == "updated":
            unchanged = _UNCHANGED.format(before=f"${used + count}")
        steps.append(f"{name} AS ({_shifted(statement, used).replace('{unchanged}', unchanged)})")
        used += count
    told = f"pg_notify('{CHANNEL}', $3::text)" if announced else "$3::text"
    positions = f"SELECT NULL, NULL WHERE {unchanged}"
    if parts[-1]:  # then the rows for the outbox are where it is seen
        positions = "SELECT min(position), max(position) FROM leaving"
    return f"""WITH {", ".join(steps)}
    SELECT first, last, EXISTS (SELECT FROM outbox WHERE parked_at IS NOT NULL), {told}
    FROM ({positions}) AS positions (first, last)"""  # noqa: S608 - constants


def _shifted(statement: str, by: int) -> str:
    return _PARAMETER.sub(lambda found: f"${int(found[1]) + by}", statement)


def note_columns(notes: Iterable[Note]) -> Columns:
    """Return the parameters of created notes."""
    return encoded(map(_note_values, notes), _NOTE_FORMS)


def updated_columns(notes: Mapping[str, Note], read: Mapping[str, Note] | None) -> Columns:
    """Return the parameters of updated notes, in id order, so that nobody who locks notes deadlocks with it.

    `read`: as they were, None if they were locked then.
    """
    changed = sorted(notes)
    before = [None if read is None else read[one].version for one in changed]
    return (*note_columns([notes[one] for one in changed]), before)


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


def read_from(rows: Sequence[Any]) -> tuple[dict[str, Outcome], dict[str, Note]]:
    """Return the outcomes by command id, and the notes by id, in rows of `LOOK`."""
    outcomes, notes = {}, {}
    for row in rows:
        if row[1] is not None:
            outcomes[row[1]] = Outcome(*row[:11])
        else:
            notes[row[0]] = note_of((row[0], *row[11:15], row[3], row[4], *row[15:]))
    return outcomes, notes
