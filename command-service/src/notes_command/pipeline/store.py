"""The batch in PostgreSQL: in one statement where nobody interferes, else in a transaction behind locks."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.domain.note import Note
from notes_command.outbox.handover import Handover
from notes_command.outbox.row import OutboxRow, outbox_columns
from notes_command.pipeline import statements as sql
from notes_command.pipeline.decide import DeadLetter, Outcome, Result
from notes_command.pipeline.rows import Topics, dead_letter_row, rows_of
from notes_command.postgres import borrowed, repeatable, translated, trust_of


@dataclass(frozen=True, slots=True)
class PostgresStore:
    """Notes, inbox and outbox; raises a StoreError and nothing else.

    `name`: what its commits are announced under. `handover`: what a relay of this process gets of them. `others`
    returns whether anybody else may listen.
    """

    engine: AsyncEngine
    topics: Topics
    name: str = ""
    handover: Handover | None = None
    others: Callable[[], bool] = lambda: True

    @asynccontextmanager
    async def transaction(
        self, topic: str, partitions: Iterable[int], *, patient: bool = True
    ) -> "AsyncIterator[PostgresUnitOfWork]":
        """Begin, and hold the source partitions until the end.

        A member that lost its partitions may still be storing a batch of them: the new owner waits here, and then finds
        what was stored.
        """
        with translated():
            async with borrowed(self.engine) as connection:
                await connection.execute(sql.begin(topic, partitions, patient=patient))
                try:
                    yield PostgresUnitOfWork(connection, self.topics, topic, partitions, self.name)
                except Exception:
                    if not connection.is_closed():
                        await connection.execute("ROLLBACK")
                    raise
                await connection.execute("COMMIT")
                if self.handover is not None:
                    self.handover.miss()

    @repeatable
    async def note(self, note_id: str) -> Note | None:
        """Return the note as it is now."""
        async with borrowed(self.engine) as connection:
            row = await connection.fetchrow(sql.NOTE, note_id)
        return None if row is None else sql.note_of(row)

    @repeatable
    async def time(self) -> datetime:
        """Return the time of day by PostgreSQL's clock."""
        async with borrowed(self.engine) as connection:
            found: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return found

    @repeatable
    async def outcomes(self, command_ids: Collection[str]) -> dict[str, Outcome]:
        """Return the outcomes of those commands that are known."""
        async with borrowed(self.engine) as connection:
            return await _outcomes(connection, command_ids)

    async def look(
        self, command_ids: Iterable[str], note_ids: Iterable[str]
    ) -> tuple[dict[str, Outcome], dict[str, Note]]:
        """Return the outcomes and the notes that are known, as of one moment. Nothing is locked."""
        with translated():
            async with borrowed(self.engine) as connection:
                rows = await connection.fetch(sql.LOOK, list(command_ids), list(note_ids))
        return sql.read_from(rows)

    async def save(self, topic: str, partitions: Iterable[int], result: Result, read: Mapping[str, Note]) -> None:
        """Store a result without dead letters, in a transaction of one statement, if its notes are as they were read.

        Raises Conflict if they are not, or if one of its commands was answered meanwhile.
        """
        rows = rows_of(result.messages, self.topics)
        with translated():
            async with borrowed(self.engine) as connection:
                place = topic, partitions, self.name
                found = await _store(connection, place, result, rows, read, announced=self.others())
        if self.handover is not None:
            first, last, parked = found[:3]
            self.handover.offer(trust_of(self.engine).made, first, last, rows, parked=parked)


@dataclass(frozen=True, slots=True)
class PostgresUnitOfWork:
    """One connection, inside its transaction."""

    connection: "asyncpg.Connection[Any]"
    topics: Topics
    topic: str
    partitions: Iterable[int]
    name: str

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes that are known; a statement of its own, so that it sees what the lock waited for."""
        return await _outcomes(self.connection, command_ids)

    async def notes(self, note_ids: Iterable[str]) -> dict[str, Note]:
        """Return the notes that exist, their rows locked."""
        rows = await self.connection.fetch(sql.NOTES_FOR_UPDATE, list(note_ids))
        return {note.id: note for note in map(sql.note_of, rows)}

    async def save(self, result: Result) -> None:
        """Store the result in one statement. Dead letters have a statement before it, which leaves out repeats."""
        rows = rows_of(result.messages, self.topics)
        if result.dead_letters:
            rows += await self._save_dead_letters(result.dead_letters)
        if rows or result.outcomes or result.created or result.updated:
            await _store(self.connection, (self.topic, self.partitions, self.name), result, rows, None, announced=True)

    async def _save_dead_letters(self, dead_letters: list[DeadLetter]) -> list[OutboxRow]:
        """Store the dead letters and return the rows of those that were not there before."""
        found = await self.connection.fetch(sql.INSERT_DEAD_LETTERS, *sql.dead_letter_columns(dead_letters))
        new = {tuple(row) for row in found}
        return [
            dead_letter_row(dead_letter, self.topics.dead_letters)
            for dead_letter in dead_letters
            if (dead_letter.source.topic, dead_letter.source.partition, dead_letter.source.offset) in new
        ]


async def _outcomes(connection: "asyncpg.Connection[Any]", command_ids: Iterable[str]) -> dict[str, Outcome]:
    rows = await connection.fetch(sql.OUTCOMES, list(command_ids))
    return {row[1]: Outcome(*row) for row in rows}


async def _store(
    connection: "asyncpg.Connection[Any]",
    place: tuple[str, Iterable[int], str],
    result: Result,
    rows: list[OutboxRow],
    read: Mapping[str, Note] | None,
    *,
    announced: bool,
) -> Any:
    """Store what a batch from this topic and these partitions came to, announced under the name if it has to be.

    `read`: the notes as they were, None if they were locked then.
    """
    parts = (
        sql.note_columns(result.created.values()) if result.created else (),
        sql.updated_columns(result.updated, read) if result.updated else (),
        sql.outcome_columns(result.outcomes) if result.outcomes else (),
        outbox_columns(rows) if rows else (),
    )
    topic, partitions, name = place
    statement = sql.store(*map(bool, parts), announced=announced)
    return await connection.fetchrow(statement, topic, sorted(partitions), name, *chain(*parts))
