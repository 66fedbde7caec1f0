"""The statements of a batch: constant texts, with columns of values (columns.py) as parameters.

`unnest` carries any number of rows in one statement whose text never changes. So SQLAlchemy never compiles it, which
costs 100 µs a row for its own multi-row VALUES, and PostgreSQL plans it once.

Where nobody interferes, a batch takes two statements: read without locks, then store if everything is as it was read.
The second one is a transaction of its own. So no lock is held while this process decides, and a batch costs two round
trips to PostgreSQL instead of five. Between the two statements this may change:

- A note that was read. It is updated only at the version that was read; if it has another one, the statement fails.
- A note or an outcome that was not there. Its key has been taken, and the statement fails.

Either is a Conflict, and the batch is decided again behind locks (store.py).
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from operator import attrgetter
from typing import Any, Final

from notes_command import columns
from notes_command.domain.note import Note, Status
from notes_command.outbox.row import insert_rows
from notes_command.pipeline.decide import Outcome
from notes_command.signals import CHANNEL

_topic: Final = re.compile(r"[A-Za-z0-9._-]+").fullmatch

SHORT_LOCK_TIMEOUT: Final = "SET LOCAL lock_timeout = '200ms'; "
NOTE_COLUMNS: Final = (
    columns.Column("id", "uuid", columns.texts),
    columns.Column("title", "text", columns.texts),
    columns.Column("body", "text", columns.texts),
    columns.Column("tags", "text", columns.tags),
    columns.Column("author", "text", columns.texts),
    columns.Column("status", "text", columns.words),
    columns.Column("version", "int", columns.numbers),
    columns.Column("created_at", "timestamptz", columns.times),
    columns.Column("updated_at", "timestamptz", columns.times),
)
OUTCOME_COLUMNS: Final = (
    columns.Column("id", "uuid", columns.texts),
    columns.Column("command_id", "uuid", columns.texts),
    columns.Column("note_id", "uuid", columns.texts),
    columns.Column("status", "text", columns.words),
    columns.Column("version", "int", columns.numbers),
    columns.Column("code", "text", columns.texts),
    columns.Column("message", "text", columns.texts),
    columns.Column("at", "timestamptz", columns.times),
    columns.Column("digest", "text", columns.ids),
    columns.Column("authtype", "text", columns.texts),
    columns.Column("authid", "text", columns.texts),
)
"""In the order of the fields of Outcome."""
_note_values: Callable[[Note], tuple[Any, ...]] = attrgetter(*[column.name for column in NOTE_COLUMNS])


def begin(topic: str, partitions: Iterable[int], *, patient: bool = True) -> str:
    """Return the text that begins a transaction and locks the source partitions, in one round trip.

    asyncpg takes no parameters for several statements in one text. A topic's name is safe inside quotes: Kafka allows
    letters, digits, `.`, `_` and `-`. Not `patient`: locks are waited for briefly.
    """
    if not _topic(topic):
        raise ValueError(f"not the name of a topic: {topic!r}")
    locks = ", ".join(f"pg_advisory_xact_lock(hashtext('{topic}'), {partition:d})" for partition in sorted(partitions))
    return f"BEGIN; {'' if patient else SHORT_LOCK_TIMEOUT}SELECT {locks}"


OUTCOMES: Final = """
SELECT id::text, command_id::text, note_id::text, status, version, code, message, at, digest, authtype, authid
FROM inbox WHERE command_id = ANY($1::uuid[])
"""

_NOTE: Final = """
SELECT id::text, title, body, tags, author, status, version, created_at, updated_at FROM notes
"""
NOTE: Final = f"{_NOTE} WHERE id = $1::uuid"
# In id order, so that two instances with the same notes wait for each other and do not deadlock.
NOTES_FOR_UPDATE: Final = f"{_NOTE} WHERE id = ANY($1::uuid[]) ORDER BY id FOR UPDATE"

# Outcomes and notes as of one moment. In the row of a note `command_id` is NULL.
READ_WITHOUT_LOCKS: Final = """
SELECT id::text, command_id::text, note_id::text, status, version, code, message, at, digest, authtype, authid,
       NULL, NULL, NULL, NULL, NULL, NULL
FROM inbox WHERE command_id = ANY($1::uuid[])
UNION ALL
SELECT id::text, NULL, NULL, status, version, NULL, NULL, NULL, NULL, NULL, NULL,
       title, body, tags, author, created_at, updated_at
FROM notes WHERE id = ANY($2::uuid[])
"""

# PostgreSQL runs a subquery to its end before it writes the first row. So it takes the locks of the partitions first,
# in their order, and it locks the notes before the outbox gives out positions.
_CLAIM: Final = """
claim AS MATERIALIZED (
    SELECT count(taken) AS taken FROM (
        SELECT pg_advisory_xact_lock(hashtext($1::text), partition) AS taken FROM unnest($2::int[]) AS t (partition)
    ) AS locks
)
"""
_CLAIMED: Final = "(SELECT taken FROM claim) >= 0"
_CLAIM_PARAMETERS: Final = 3
"""The topic, its partitions, and the name under which the commit is announced."""


@cache
def storing_statement(*, created: bool, updated: bool, answered: bool, leaving: bool, announced: bool) -> str:
    """Return the statement that stores a batch if no updated note has changed since it was read.

    It has a step for each kind of row that there is: `created` and `updated` notes, `answered` commands, and rows
    `leaving` by the outbox. `announced`: listeners are notified. Parameters: topic, partitions, name, then those of the
    steps. It returns the first and the last position of the rows in the outbox, and whether any row is parked. With all
    steps it is, shortened:

        WITH claim AS MATERIALIZED (SELECT ... pg_advisory_xact_lock(hashtext($1), partition) ... unnest($2)),
             created AS (INSERT INTO notes ... unnest($4, ..., $12) ... WHERE <claimed>),
             updated AS (UPDATE notes ... unnest($13, ..., $22) ... AND <claimed> RETURNING notes.id),
             answered AS (INSERT INTO inbox ... unnest($23, ..., $33) WHERE <claimed>),
             leaving AS (INSERT INTO outbox ... unnest($34, ..., $50) ... AND <unchanged> RETURNING position)
        SELECT first, last, EXISTS (<a parked row>), pg_notify('notes_command', $3)
        FROM (SELECT min(position), max(position) FROM leaving) AS positions (first, last)
    """
    steps = [_CLAIM]
    unchanged = "true"
    following = _CLAIM_PARAMETERS + 1
    if created:
        steps.append(f"created AS ({_insert_notes(following)} WHERE {_CLAIMED})")
        following += len(NOTE_COLUMNS)
    if updated:
        versions_read = following + len(NOTE_COLUMNS)
        steps.append(f"updated AS ({_update_notes(following)} AND {_CLAIMED} RETURNING notes.id)")
        unchanged = _all_updated(versions_read)
        following = versions_read + 1
    if answered:
        steps.append(f"answered AS ({_insert_outcomes(following)} WHERE {_CLAIMED})")
        following += len(OUTCOME_COLUMNS)
    positions = f"SELECT NULL, NULL WHERE {unchanged}"
    if leaving:
        steps.append(f"leaving AS ({insert_rows(following)} WHERE {_CLAIMED} AND {unchanged} RETURNING position)")
        positions = "SELECT min(position), max(position) FROM leaving"
    name = f"pg_notify('{CHANNEL}', $3::text)" if announced else "$3::text"
    return f"""WITH {", ".join(steps)}
    SELECT first, last, EXISTS (SELECT FROM outbox WHERE parked_at IS NOT NULL), {name}
    FROM ({positions}) AS positions (first, last)"""  # noqa: S608 - constants


def _insert_notes(first: int) -> str:
    return f"""
INSERT INTO notes ({columns.names_of(NOTE_COLUMNS)})
SELECT id, title, body, tags::text[], author, status, version, created_at, updated_at
FROM unnest({columns.parameters_of(NOTE_COLUMNS, first)})
  AS t ({columns.names_of(NOTE_COLUMNS)})
"""  # noqa: S608 - constants


def _update_notes(first: int) -> str:
    """Return the UPDATE. The version `before` is that which was read; a note that was locked then has none."""
    return f"""
UPDATE notes SET title = t.title, body = t.body, tags = t.tags::text[], author = t.author, status = t.status,
                 version = t.version, updated_at = t.updated_at
FROM unnest({columns.parameters_of(NOTE_COLUMNS, first)}, ${first + len(NOTE_COLUMNS)}::int[])
  AS t ({columns.names_of(NOTE_COLUMNS)}, before)
WHERE notes.id = t.id AND notes.version = coalesce(t.before, notes.version)
"""  # noqa: S608 - constants


def _all_updated(versions_read: int) -> str:
    """Return a condition that divides by zero if a note is not as it was read.

    No other expression divides, so postgres.py takes that error for a conflict. `versions_read`: the parameter.
    """
    return f"1 / ((SELECT count(*) FROM updated) = cardinality(${versions_read}::int[]))::int = 1"  # noqa: S608 - constants


def _insert_outcomes(first: int) -> str:
    return f"""
INSERT INTO inbox ({columns.names_of(OUTCOME_COLUMNS)})
SELECT * FROM unnest({columns.parameters_of(OUTCOME_COLUMNS, first)})
"""  # noqa: S608 - constants


def note_columns(notes: Iterable[Note]) -> columns.Columns:
    """Return the parameters of created notes."""
    return columns.encoded(map(_note_values, notes), NOTE_COLUMNS)


def updated_columns(notes: Mapping[str, Note], read: Mapping[str, Note] | None) -> columns.Columns:
    """Return the parameters of updated notes, in id order, so that two instances do not deadlock.

    `read`: the notes as they were read; None if they were locked then.
    """
    note_ids = sorted(notes)
    before = [None if read is None else read[note_id].version for note_id in note_ids]
    return (*note_columns([notes[note_id] for note_id in note_ids]), before)


def outcome_columns(outcomes: Iterable[Outcome]) -> columns.Columns:
    """Return the parameters of outcomes for the inbox."""
    return columns.encoded(outcomes, OUTCOME_COLUMNS)


def note_of(row: Sequence[Any]) -> Note:
    """Return the note in a row of `NOTE` or `NOTES_FOR_UPDATE`."""
    id_, title, body, tags, author, status, version, created_at, updated_at = row
    return Note(id_, title, body, tuple(tags), author, Status(status), version, created_at, updated_at)


def read_from(rows: Iterable[Any]) -> tuple[dict[str, Outcome], dict[str, Note]]:
    """Return the outcomes by command id, and the notes by id, in rows of `READ_WITHOUT_LOCKS`."""
    outcomes, notes = {}, {}
    for row in rows:
        if row["command_id"] is not None:
            outcomes[row["command_id"]] = Outcome(*row[: len(OUTCOME_COLUMNS)])
        else:
            title, body, tags_, author, created_at, updated_at = row[len(OUTCOME_COLUMNS) :]
            note = (row["id"], title, body, tags_, author, row["status"], row["version"], created_at, updated_at)
            notes[row["id"]] = note_of(note)
    return outcomes, notes
