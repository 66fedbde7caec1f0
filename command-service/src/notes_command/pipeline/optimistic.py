"""The two statements of a batch that nobody interferes with: read without locks, then store if all is as it was read.

The second is a transaction of its own, so no lock is held while a client thinks, and a batch costs two round trips to
PostgreSQL instead of five. What may have changed between the two:

- a note that was read: it is updated only at the version that was read, and if one was not, the statement fails;
- a note or an outcome that was not there: its key has been taken, and the statement fails.

Either is a Conflict, and the batch is decided again behind locks (store.py).
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import compress
from typing import Any, Final

from notes_command.columns import Columns
from notes_command.domain.note import Note
from notes_command.outbox.row import INSERT_ROWS
from notes_command.pipeline import statements as sql
from notes_command.pipeline.decide import Outcome
from notes_command.signals import CHANNEL

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
_OUTCOME: Final = slice(0, 11)

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
_UPDATE: Final = """
UPDATE notes SET title = t.title, body = t.body, tags = t.tags::text[], author = t.author, status = t.status,
                 version = t.version, updated_at = t.updated_at
FROM unnest($1::text::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text::text[], $7::text::int[],
            $8::text::timestamptz[], $9::text::timestamptz[], $10::int[])
  AS t (id, title, body, tags, author, status, version, created_at, updated_at, before)
WHERE notes.id = t.id AND notes.version = t.before
"""
_STEPS: Final = (
    ("created", f"{sql.INSERT_NOTES} WHERE {_CLAIMED}"),
    ("updated", f"{_UPDATE} AND {_CLAIMED} RETURNING notes.id"),
    ("answered", f"{sql.INSERT_INBOX} WHERE {_CLAIMED}"),
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
        count = sql.count_parameters(statement)
        if name == "updated":
            unchanged = _UNCHANGED.format(before=f"${used + count}")
        text = sql.shifted(statement, used)
        steps.append(f"{name} AS ({text.replace('{unchanged}', unchanged)})")
        used += count
    told = f"pg_notify('{CHANNEL}', $3::text)" if announced else "$3::text"
    return f"""WITH {", ".join(steps)}
    SELECT min(position), max(position), EXISTS (SELECT FROM outbox WHERE parked_at IS NOT NULL), {told}
    FROM leaving"""  # noqa: S608 - constants


def columns_of_updated(notes: Mapping[str, Note], read: Mapping[str, Note]) -> Columns:
    """Return the parameters of the second part, in id order, so that nobody who locks notes deadlocks with it."""
    changed = sorted(notes)
    return (*sql.note_columns([notes[note] for note in changed]), [read[note].version for note in changed])


def read_from(rows: Sequence[Any]) -> tuple[dict[str, Outcome], dict[str, Note]]:
    """Return the outcomes by command id, and the notes by id, in rows of `LOOK`."""
    outcomes, notes = {}, {}
    for row in rows:
        if row[1] is not None:
            outcomes[row[1]] = sql.outcome_of(row[_OUTCOME])
        else:
            notes[row[0]] = sql.note_of((row[0], *row[11:15], row[3], row[4], *row[15:]))
    return outcomes, notes
