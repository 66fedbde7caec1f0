"""The dead letters in PostgreSQL, and the way by which they are sent back: the outbox."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from notes_chassis.dead_letters import DeadLetterFilter, Position
from notes_command.columns import columns
from notes_command.dead_letters.dead_letter import CLOCKS, HeldBack, SentBack, StoredDeadLetter, in_order, redrive
from notes_command.outbox.handover import ROW_BYTES
from notes_command.outbox.row import INSERT_OUTBOX, OutboxRow, outbox_columns, pack_headers, unpack_headers
from notes_command.outbox.store import MAX_BYTES
from notes_command.pipeline.decode import Source
from notes_command.postgres import repeatable
from notes_contracts import partition_of
from notes_contracts.topics import PARTITIONS

_NAMES: Final = """{contents}, command_id::text, note_id::text, type, code, reason, at, state, record,
    coalesce(octet_length(key), 0) + coalesce(octet_length(value), 0) + octet_length(headers)"""
_CONTENTS: Final = "key, value, headers"
_NONE: Final = "NULL::bytea, NULL::bytea, NULL::bytea"
# The dead letters of a note are in the order in which they were stored.
_FOUND: Final = """
SELECT topic, partition, "offset", {names} FROM {found} WHERE {conditions}
ORDER BY at, topic, partition, "offset", record LIMIT {limit}
"""
# LIMIT, and OFFSET below, make the planner look up each dead letter by itself instead of joining, however small the
# table seems to it.
_BY_ID: Final = """
(SELECT DISTINCT * FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[]) AS t (a, b, c, d) ORDER BY a, b, c, d)
AS t CROSS JOIN LATERAL (
    SELECT ctid, * FROM dead_letters WHERE (topic, partition, "offset", record) = (t.a, t.b, t.c, t.d) LIMIT 1
) AS dead_letters
"""
CLAIM: Final = "FOR UPDATE OF dead_letters"


def select(wanted: DeadLetterFilter, limit: int, contents: str = _NONE) -> tuple[str, tuple[Any, ...]]:
    """Return the statement that finds dead letters, with its parameters. Contents are left out: they can be large.

    The statement has only the conditions that are asked for. PostgreSQL uses no index for `$1 IS NULL OR note_id = $1`.
    """
    after = None if wanted.after is None else (wanted.after.at, *wanted.after.position)
    given: dict[str, Any] = {
        "at >= {}": wanted.since,
        "at < {}": wanted.until,
        "code = {}": wanted.reason,
        "note_id = {}": wanted.subject,
        "type = {}": wanted.type,
        "state = {}": wanted.state,
        '(at, topic, partition, "offset", record) > ({}, {}, {}, {}, {})': after,
    }
    parameters = [] if wanted.ids is None else [*columns(wanted.ids, Position._fields)]
    conditions = []
    for condition, asked in given.items():
        if asked is not None:
            values = asked if isinstance(asked, tuple) else (asked,)
            conditions.append(condition.format(*(f"${len(parameters) + n}" for n in range(1, len(values) + 1))))
            parameters += values
    parameters.append(limit)
    statement = _FOUND.format(
        names=_NAMES.format(contents=contents),
        found="dead_letters" if wanted.ids is None else _BY_ID,
        conditions=" AND ".join(conditions) or "true",
        limit=f"${len(parameters)}",
    )
    return statement, tuple(parameters)


# A change at the time of the dead letter is of the same batch, and may be before or after it. It counts as after,
# unless that batch created the note: then no version that the sender can have seen has changed.
CHANGED: Final = """
SELECT DISTINCT id::text, version FROM unnest($1::uuid[], $2::timestamptz[]) AS t (note_id, at)
CROSS JOIN LATERAL (SELECT id, version, created_at, updated_at FROM notes WHERE id = t.note_id OFFSET 0) AS notes
WHERE updated_at > t.at OR (updated_at = t.at AND created_at < t.at)
"""
# The notes of claimed dead letters that have an earlier open dead letter which is not claimed. In another topic, which
# replaced this one or was replaced by it, the earlier time is earlier. In a partition the rule is that of `in_order`.
LEFT_BEHIND: Final = f"""
WITH claimed AS (
    SELECT *, max(at) OVER (PARTITION BY topic, partition, note_id) AS newest
    FROM unnest($1::text[], $2::int[], $3::bigint[], $4::text[], $5::uuid[], $6::timestamptz[])
      AS t (topic, partition, o, record, note_id, at)
), last AS (
    SELECT topic, partition, note_id, newest, max(o) AS o,
           newest - interval '{CLOCKS.seconds} s' AS before, newest + interval '{CLOCKS.seconds} s' AS behind
    FROM claimed WHERE at >= newest - interval '{CLOCKS.seconds} s' GROUP BY 1, 2, 3, 4
)
SELECT DISTINCT ON (d.note_id) d.note_id::text, concat_ws(':', d.topic, d.partition, d."offset")
FROM last CROSS JOIN LATERAL (SELECT * FROM dead_letters WHERE note_id = last.note_id OFFSET 0) AS d
WHERE d.state = 'open' AND CASE
    WHEN d.topic = last.topic AND d.partition <> last.partition THEN false
    WHEN d.topic = last.topic AND d.at BETWEEN last.before AND last.behind THEN d."offset" < last.o
    ELSE d.at < last.newest END
  AND NOT EXISTS (SELECT FROM claimed c
                  WHERE (c.topic, c.partition, c.o, c.record) = (d.topic, d.partition, d."offset", d.record))
ORDER BY d.note_id, d.at, d."offset"
"""  # noqa: S608
# Only for claimed dead letters, whose rows are locked: their ctid stays.
SET_STATE: Final = f"UPDATE dead_letters SET state = $5 WHERE ctid = ANY(ARRAY(SELECT dead_letters.ctid FROM {_BY_ID}))"  # noqa: S608


@dataclass(frozen=True, slots=True)
class PostgresDeadLetters:
    """The dead letters in PostgreSQL. Methods raise StoreError. `topic`: they are sent back to it."""

    engine: AsyncEngine
    topic: str

    @repeatable
    async def find(self, wanted: DeadLetterFilter, limit: int) -> list[StoredDeadLetter]:
        """Return dead letters, the oldest first, without their contents."""
        async with self.engine.connect() as connection:
            return await _found(connection, *select(wanted, limit))

    @repeatable
    async def whole(self, position: Position) -> StoredDeadLetter | None:
        """Return a dead letter with its contents, or None."""
        async with self.engine.connect() as connection:
            wanted = DeadLetterFilter(ids=(position,), state=None)
            found = await _found(connection, *select(wanted, 1, _CONTENTS))
        return found[0] if found else None

    @repeatable
    async def redrive(
        self, wanted: DeadLetterFilter, limit: int, *, force: bool, all_or_none: bool = False
    ) -> SentBack:
        """Send dead letters back, in one transaction with their state. Those of a note keep their order.

        To redrive twice is safe: the new command id follows from the dead letter's id. `all_or_none`: if any is held
        back, none is sent.
        """
        async with self.engine.begin() as connection:
            dead_letters = await _claim(connection, wanted, limit)
            reasons = {} if force else await _reasons_to_hold(connection, dead_letters)
            sent = in_order(dead_letter for dead_letter in dead_letters if dead_letter.note_id not in reasons)
            if all_or_none and len(sent) < len(dead_letters):
                sent = []
            for portion in _portions(sent):
                await self._to_outbox(connection, portion)
            if sent:
                await connection.exec_driver_sql(SET_STATE, (*_positions(sent), "redriven"))
            held = [
                HeldBack(dead_letter, reasons[dead_letter.note_id])
                for dead_letter in dead_letters
                if dead_letter.note_id in reasons
            ]
            return SentBack(sent, held)

    @repeatable
    async def drop(self, wanted: DeadLetterFilter, limit: int) -> list[str]:
        """Set the state of dead letters to dropped, and return their ids. Retention deletes them later."""
        async with self.engine.begin() as connection:
            dead_letters = await _claim(connection, wanted, limit)
            if dead_letters:
                await connection.exec_driver_sql(SET_STATE, (*_positions(dead_letters), "dropped"))
            return [dead_letter.id for dead_letter in dead_letters]

    async def _to_outbox(self, connection: AsyncConnection, dead_letters: Sequence[StoredDeadLetter]) -> None:
        these = DeadLetterFilter(ids=tuple(dead_letter.position for dead_letter in dead_letters), state=None)
        whole = await _found(connection, *select(these, len(dead_letters), _CONTENTS))
        contents = {dead_letter.position: dead_letter for dead_letter in whole}
        rows = [self._row(contents[dead_letter.position]) for dead_letter in dead_letters]
        await connection.exec_driver_sql(INSERT_OUTBOX, outbox_columns(rows))

    def _row(self, dead_letter: StoredDeadLetter) -> OutboxRow:
        redriven = redrive(dead_letter)
        return OutboxRow(
            id=redriven.command_id,
            aggregatetype="command",
            aggregateid=dead_letter.note_id or redriven.command_id,
            type=dead_letter.type or "",
            payload=redriven.value,
            topic=self.topic,
            shard=self._partition(dead_letter.source),
            time=datetime.now(UTC),
            causationid=dead_letter.command_id,
            key=dead_letter.source.key,
            headers=pack_headers(redriven.headers),
        )

    def _partition(self, source: Source) -> int:
        """Return the partition to send to: the record's own, if it came from this topic and the partition exists."""
        if source.topic == self.topic and source.partition < PARTITIONS:
            return source.partition
        return partition_of(source.key, PARTITIONS) if source.key else source.partition % PARTITIONS


async def _claim(connection: AsyncConnection, wanted: DeadLetterFilter, limit: int) -> list[StoredDeadLetter]:
    statement, parameters = select(wanted, limit)
    return await _found(connection, f"{statement} {CLAIM}", parameters)


async def _found(connection: AsyncConnection, statement: str, parameters: tuple[Any, ...]) -> list[StoredDeadLetter]:
    return [_stored(row) for row in await connection.exec_driver_sql(statement, parameters)]


async def _reasons_to_hold(
    connection: AsyncConnection, dead_letters: Sequence[StoredDeadLetter]
) -> Mapping[str | None, str]:
    # A dead letter that was redriven before may have changed its note itself. Sent again, it has no further effect.
    checked = [
        dead_letter
        for dead_letter in dead_letters
        if dead_letter.note_id is not None and dead_letter.state != "redriven"
    ]
    if not checked:
        return {}
    notes = [dead_letter.note_id for dead_letter in checked]
    times = [dead_letter.at for dead_letter in checked]
    older: Any = await connection.exec_driver_sql(LEFT_BEHIND, (*_positions(checked), notes, times))
    changed: Any = await connection.exec_driver_sql(CHANGED, (notes, times))
    reasons: dict[str | None, str] = {}
    for note, dead_letter in older:
        reasons[note] = f"an older dead letter of note {note}, {dead_letter}, is still open"
    for note, version in changed:
        reasons[note] = f"note {note} has changed since, and is at version {version}"
    return reasons


def _positions(dead_letters: Sequence[StoredDeadLetter]) -> tuple[list[Any], ...]:
    return columns([dead_letter.position for dead_letter in dead_letters], Position._fields)


def _stored(row: Sequence[Any]) -> StoredDeadLetter:
    topic, partition, offset, key, value, packed, *rest = row
    headers = () if packed is None else tuple(unpack_headers(packed))
    return StoredDeadLetter(Source(topic, partition, offset, key, value, headers), *rest)


def _portions(dead_letters: Iterable[StoredDeadLetter]) -> Iterator[list[StoredDeadLetter]]:
    """Return portions whose contents may be in memory at once: at most MAX_BYTES, or a single dead letter."""
    portion: list[StoredDeadLetter] = []
    size_of_portion = 0
    for dead_letter in dead_letters:
        size = dead_letter.size + ROW_BYTES
        if portion and size_of_portion + size > MAX_BYTES:
            yield portion
            portion = []
            size_of_portion = 0
        portion.append(dead_letter)
        size_of_portion += size
    if portion:
        yield portion
