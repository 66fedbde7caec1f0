"""The statements about dead letters: constant text, arrays as parameters, NULL for a filter that is not given."""

from typing import Final

_NAMES: Final = "key, {value}, headers, command_id::text, note_id::text, type, code, reason, at, state, record"
# Of one note in the order in which they came.
_FOUND: Final = """
FROM dead_letters
WHERE ($1::text[] IS NULL
       OR (topic, partition, "offset", record)
          IN (SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $11::text[])))
  AND ($4::timestamptz IS NULL OR at >= $4) AND ($5::timestamptz IS NULL OR at < $5)
  AND ($6::text IS NULL OR code = $6) AND ($7::uuid IS NULL OR note_id = $7)
  AND ($8::text IS NULL OR type = $8) AND ($9::text IS NULL OR state = $9)
ORDER BY at, topic, partition, "offset", record LIMIT $10
"""
WHOLE: Final = f'SELECT topic, partition, "offset", {_NAMES.format(value="value")} {_FOUND}'
# Values can be large: a list of a hundred letters must not read them.
LIST: Final = f'SELECT topic, partition, "offset", {_NAMES.format(value="NULL::bytea")} {_FOUND}'
CLAIM: Final = f"{LIST} FOR UPDATE"

# A change at the letter's own time is of the same batch and may have come before or after it: taken as after, unless
# that batch made the note, which is no change of what the sender had seen.
CHANGED: Final = """
SELECT DISTINCT id::text, version FROM notes JOIN unnest($1::uuid[], $2::timestamptz[]) AS t (note_id, at)
ON notes.id = t.note_id AND (updated_at > t.at OR (updated_at = t.at AND created_at < t.at))
"""
# Of the notes whose letters are claimed, those that have an open letter which came earlier and is not claimed.
LEFT_BEHIND: Final = """
WITH claimed AS (
    SELECT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::uuid[])
      AS t (topic, partition, o, record, note_id)
), last AS (
    SELECT topic, partition, note_id, max(o) AS o FROM claimed GROUP BY 1, 2, 3
)
SELECT DISTINCT ON (d.note_id) d.note_id::text, concat_ws(':', d.topic, d.partition, d."offset")
FROM dead_letters d JOIN last ON (d.topic, d.partition, d.note_id) = (last.topic, last.partition, last.note_id)
WHERE d.state = 'open' AND d."offset" < last.o
  AND NOT EXISTS (SELECT FROM claimed c
                  WHERE (c.topic, c.partition, c.o, c.record) = (d.topic, d.partition, d."offset", d.record))
ORDER BY d.note_id, d."offset"
"""
SET_STATE: Final = """
UPDATE dead_letters AS d SET state = $5
FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[]) AS t (topic, partition, o, record)
WHERE (d.topic, d.partition, d."offset", d.record) = (t.topic, t.partition, t.o, t.record)
"""
