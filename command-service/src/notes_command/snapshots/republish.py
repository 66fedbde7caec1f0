"""Sends snapshots of notes, for readers that missed events. It yields to the pipeline."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from notes_command.domain.note import Note
from notes_command.outbox.row import INSERT_OUTBOX, OutboxRow, outbox_columns
from notes_command.outbox.store import DROP_SUPERSEDED, LOCK_PARKED
from notes_command.pipeline import statements as sql
from notes_command.pipeline.rows import EVENT_TYPES, event_data
from notes_command.pipeline.statements import note_of
from notes_command.postgres import repeatable
from notes_contracts import partition_of, snapshot_id
from notes_contracts.topics import PARTITIONS

# Two statements, so that each is a range scan of the primary key: with an OR, PostgreSQL would read all notes before.
_FIRST: Final = "SELECT id::text FROM notes ORDER BY id LIMIT $1"
_NEXT: Final = "SELECT id::text FROM notes WHERE id > $2::uuid ORDER BY id LIMIT $1"
_STOPPED: Final = """
SELECT after_note::text FROM republishing
WHERE name = $1 AND moved_at > clock_timestamp() - $2 * interval '1 second'
"""
_MOVE: Final = """
INSERT INTO republishing (name, after_note, moved_at) VALUES ($1, $2::uuid, clock_timestamp())
ON CONFLICT (name) DO UPDATE SET after_note = excluded.after_note, moved_at = excluded.moved_at
"""
_END: Final = "DELETE FROM republishing WHERE name = $1"
_WAITING: Final = "SELECT count(*) FROM (SELECT FROM outbox WHERE parked_at IS NULL LIMIT 100000) AS waiting"
CHUNK: Final = 100
BACKLOG: Final = 2_000
"""Outbox rows above which republishing waits: live traffic goes first."""
POLL_S: Final = 0.2
ALL: Final = "all"
"""The name under which the run over all notes stores its progress."""
RESUMED_S: Final = 3600.0
"""Seconds within which a killed run is resumed. An older one starts again: the snapshots that it has sent may be lost
since, and a snapshot that is sent twice changes nothing."""


def snapshot_row(note: Note, topic: str) -> OutboxRow:
    """Return the outbox row of a note's snapshot. Its id follows from the version, so repeats are equal."""
    event = note.snapshot()
    return OutboxRow(
        id=snapshot_id(note.id, note.version),
        aggregatetype="note",
        aggregateid=note.id,
        type=EVENT_TYPES[type(event)],
        payload=event_data(event),
        topic=topic,
        shard=partition_of(note.id.encode(), PARTITIONS),
        time=event.occurred_at,
        subject=note.id,
        sequence=note.version,
    )


@dataclass(frozen=True, slots=True)
class PostgresSnapshots:
    """Writes snapshots to the outbox. Methods raise StoreError.

    A snapshot gets its position in the outbox while the note's row is locked: after event N, before event N + 1.
    """

    engine: AsyncEngine
    topic: str

    @repeatable
    async def one(self, note_id: str) -> bool:
        """Write the note's snapshot. Return whether there is such a note."""
        async with self.engine.begin() as connection:
            return bool(await self._write(connection, [note_id]))

    @repeatable
    async def stopped_behind(self, name: str, within_s: float) -> str | None:
        """Return the last note of a run that moved within that time and did not end; else None."""
        async with self.engine.connect() as connection:
            return (await connection.exec_driver_sql(_STOPPED, (name, within_s))).scalar()

    @repeatable
    async def after(self, name: str, note_id: str | None, count: int) -> Sequence[str]:
        """Write snapshots of the next notes in id order, and the progress of the run. Return their ids.

        At the end there are none, and the progress is deleted.
        """
        async with self.engine.begin() as connection:
            statement, parameters = (_FIRST, (count,)) if note_id is None else (_NEXT, (count, note_id))
            note_ids = (await connection.exec_driver_sql(statement, parameters)).scalars().all()
            if note_ids:
                await self._write(connection, note_ids)
                await connection.exec_driver_sql(_MOVE, (name, note_ids[-1]))
            else:
                await connection.exec_driver_sql(_END, (name,))
            return note_ids

    @repeatable
    async def waiting(self) -> int:
        """Return how many rows wait in the outbox, at most 100,000."""
        async with self.engine.connect() as connection:
            return int((await connection.exec_driver_sql(_WAITING)).scalar_one())

    async def _write(self, connection: AsyncConnection, note_ids: Sequence[Any]) -> int:
        rows = await connection.exec_driver_sql(sql.NOTES_FOR_UPDATE, (list(note_ids),))
        outbox = [snapshot_row(note_of(row), self.topic) for row in rows]
        if outbox:
            # A snapshot holds all that the parked rows of its note would have told, and must not be parked behind them.
            await connection.exec_driver_sql(LOCK_PARKED)
            await connection.exec_driver_sql(DROP_SUPERSEDED, (self.topic, [row.aggregateid for row in outbox]))
            await connection.exec_driver_sql(INSERT_OUTBOX, outbox_columns(outbox))
        return len(outbox)


async def republish_all(
    snapshots: PostgresSnapshots,
    per_second: float,
    progress: Callable[[int], None] = lambda _: None,
    resumed: Callable[[str], None] = lambda _: None,
) -> int:
    """Write snapshots of all notes, also deleted ones, in id order. Return how many this call has written.

    `per_second`: notes, at most. `resumed` is called with the last note of a killed run that is resumed, `progress`
    with the count so far. Raises StoreError.
    """
    note_id = await snapshots.stopped_behind(ALL, RESUMED_S)
    if note_id is not None:
        resumed(note_id)
    total = 0
    chunk = max(1, min(CHUNK, int(per_second)))
    loop = asyncio.get_running_loop()
    while True:
        started = loop.time()
        while await snapshots.waiting() > BACKLOG:  # noqa: ASYNC110 - the outbox is PostgreSQL's
            await asyncio.sleep(POLL_S)
        written = await snapshots.after(ALL, note_id, chunk)
        if not written:
            return total
        note_id = written[-1]
        total += len(written)
        progress(total)
        await asyncio.sleep(max(0.0, len(written) / per_second - (loop.time() - started)))
