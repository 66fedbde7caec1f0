"""The statements of the batch: constant text, one for each table, arrays or their literals (rows.py) as parameters.

`unnest` carries any number of rows in one statement whose text never changes, so it is planned once and compiled
never; SQLAlchemy's multi-row VALUES costs 100 µs a row to compile.
"""

from typing import Final

CHANNEL: Final = "notes_command"
"""Every commit that leaves something in the inbox or the outbox is announced here."""

LOCK_PARTITIONS: Final = """
SELECT pg_advisory_xact_lock(hashtext($1), p) FROM unnest($2::int[]) AS p
"""

OUTCOMES: Final = """
SELECT id::text, command_id::text, note_id::text, status, version, code, message, at, digest
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
INSERT INTO inbox (id, command_id, note_id, status, version, code, message, at, digest)
SELECT * FROM unnest($1::text::uuid[], $2::text::uuid[], $3::text::uuid[], $4::text::text[], $5::text::int[],
                     $6::text[], $7::text[], $8::text::timestamptz[], $9::text::text[])
"""

INSERT_DEAD_LETTERS: Final = """
INSERT INTO dead_letters (topic, partition, "offset", key, value, headers, type, command_id, note_id, code, reason, at)
SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::bytea[], $5::bytea[], $6::bytea[], $7::text[], $8::uuid[],
                     $9::uuid[], $10::text[], $11::text[], $12::timestamptz[])
ON CONFLICT DO NOTHING
RETURNING topic, partition, "offset"
"""

# Announced in the same statement, which saves a round trip; listeners hear of it once the transaction commits.
INSERT_OUTBOX: Final = f"""
WITH stored AS (
    INSERT INTO outbox (id, aggregatetype, aggregateid, type, payload, topic, shard, time, subject, sequence,
                        correlationid, causationid, traceparent, key, headers)
    SELECT * FROM unnest($1::text::uuid[], $2::text::text[], $3::text::text[], $4::text::text[], $5::bytea[],
                         $6::text::text[], $7::text::smallint[], $8::text::timestamptz[], $9::text::text[],
                         $10::text::int[], $11::text[], $12::text::text[], $13::text[], $14::bytea[], $15::bytea[])
)
SELECT pg_notify('{CHANNEL}', '')
"""  # noqa: S608 - constants
