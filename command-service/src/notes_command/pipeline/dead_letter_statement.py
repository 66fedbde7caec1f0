"""The statement that stores the dead letters of a batch."""

from collections.abc import Sequence
from typing import Final

from notes_command.columns import Columns, columns
from notes_command.outbox.row import pack_headers
from notes_command.pipeline.decide import DeadLetter
from notes_command.pipeline.decode import type_in

# The same record at the same offset is the same dead letter. A recreated topic may have another record at that offset:
# that is another dead letter. Key, value and headers are hashed one by one, so that different records have different
# hashes. Only a transaction that has locked the source partition inserts here.
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


def dead_letter_columns(dead_letters: Sequence[DeadLetter]) -> Columns:
    """Return the parameters of `INSERT_DEAD_LETTERS`."""
    names = ("topic", "partition", "offset", "key", "value")
    sources = [dead_letter.source for dead_letter in dead_letters]
    headers = [pack_headers(source.headers) for source in sources]
    types = [type_in(source) for source in sources]
    return (
        *columns(sources, names),
        headers,
        types,
        *columns(dead_letters, ("command_id", "note_id", "code", "reason", "at")),
    )
