"""Stores a batch in PostgreSQL: in one statement where nobody interferes, else in a transaction behind locks."""

from collections.abc import AsyncIterator, Callable, Collection, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from typing import Any, NamedTuple

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.domain.note import Note
from notes_command.outbox.handover import Handover
from notes_command.outbox.row import OutboxRow, outbox_columns
from notes_command.pipeline import dead_letter_statement
from notes_command.pipeline import statements as sql
from notes_command.pipeline.decide import DeadLetter, Outcome, Result
from notes_command.pipeline.rows import Topics, dead_letter_row, rows_of
from notes_command.postgres import borrowed, repeatable, translated, trust_of


class _Origin(NamedTuple):
    """The topic and the partitions that a batch comes from, and the name under which its commit is announced."""

    topic: str
    partitions: Iterable[int]
    name: str


@dataclass(frozen=True, slots=True)
class PostgresStore:
    """Notes, inbox and outbox. Raises only StoreErrors.

    `name`: commits are announced under it. `handover`: passes committed rows to the relay of this process. `others`
    returns whether another instance may listen.
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
        """Begin, and lock the source partitions until the end.

        A consumer that lost its partitions may still be storing a batch of them. The new owner waits here, and then
        finds what was stored.
        """
        with translated():
            async with borrowed(self.engine) as connection:
                await connection.execute(sql.begin(topic, partitions, patient=patient))
                try:
                    yield PostgresUnitOfWork(connection, self.topics, _Origin(topic, partitions, self.name))
                except Exception:
                    if not connection.is_closed():
                        await connection.execute("ROLLBACK")
                    raise
                await connection.execute("COMMIT")
                if self.handover is not None:
                    self.handover.require_read()

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
            now: datetime = await connection.fetchval("SELECT clock_timestamp()")
        return now

    @repeatable
    async def outcomes(self, command_ids: Collection[str]) -> dict[str, Outcome]:
        """Return the outcomes of those commands that are known."""
        async with borrowed(self.engine) as connection:
            return await _outcomes(connection, command_ids)

    async def read_without_locks(
        self, command_ids: Iterable[str], note_ids: Iterable[str]
    ) -> tuple[dict[str, Outcome], dict[str, Note]]:
        """Return those outcomes and notes that exist, as of one moment. Nothing is locked."""
        with translated():
            async with borrowed(self.engine) as connection:
                rows = await connection.fetch(sql.READ_WITHOUT_LOCKS, list(command_ids), list(note_ids))
        return sql.read_from(rows)

    async def save(self, topic: str, partitions: Iterable[int], result: Result, read: Mapping[str, Note]) -> None:
        """Store a result without dead letters, in one statement, if its notes are still as they were read.

        Raises Conflict if they are not, or if one of its commands was answered meanwhile.
        """
        rows = rows_of(result.messages, self.topics)
        with translated():
            async with borrowed(self.engine) as connection:
                origin = _Origin(topic, partitions, self.name)
                stored = await _store(connection, origin, result, rows, read, announced=self.others())
        if self.handover is not None:
            first, last, parked, _ = stored
            self.handover.offer(trust_of(self.engine).made, first, last, rows, parked=parked)


@dataclass(frozen=True, slots=True)
class PostgresUnitOfWork:
    """A connection inside its transaction."""

    connection: "asyncpg.Connection[Any]"
    topics: Topics
    origin: _Origin

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes that exist. A statement of its own sees commits that the lock has waited for."""
        return await _outcomes(self.connection, command_ids)

    async def notes(self, note_ids: Iterable[str]) -> dict[str, Note]:
        """Return the notes that exist, and lock their rows."""
        rows = await self.connection.fetch(sql.NOTES_FOR_UPDATE, list(note_ids))
        return {note.id: note for note in map(sql.note_of, rows)}

    async def save(self, result: Result) -> None:
        """Store the result in one statement, after one that stores its dead letters and leaves out repeats."""
        rows = rows_of(result.messages, self.topics)
        if result.dead_letters:
            rows += await self._save_dead_letters(result.dead_letters)
        if rows or result.outcomes or result.created or result.updated:
            await _store(self.connection, self.origin, result, rows, None, announced=True)

    async def _save_dead_letters(self, dead_letters: list[DeadLetter]) -> list[OutboxRow]:
        """Store the dead letters. Return the outbox rows of those that were not stored before."""
        parameters = dead_letter_statement.dead_letter_columns(dead_letters)
        inserted = await self.connection.fetch(dead_letter_statement.INSERT_DEAD_LETTERS, *parameters)
        new = {tuple(row) for row in inserted}
        return [
            dead_letter_row(dead_letter, self.topics.dead_letters)
            for dead_letter in dead_letters
            if (dead_letter.source.topic, dead_letter.source.partition, dead_letter.source.offset) in new
        ]


async def _outcomes(connection: "asyncpg.Connection[Any]", command_ids: Iterable[str]) -> dict[str, Outcome]:
    rows = await connection.fetch(sql.OUTCOMES, list(command_ids))
    return {row["command_id"]: Outcome(*row) for row in rows}


async def _store(
    connection: "asyncpg.Connection[Any]",
    origin: _Origin,
    result: Result,
    rows: list[OutboxRow],
    read: Mapping[str, Note] | None,
    *,
    announced: bool,
) -> Any:
    """Store the result of a batch. Return first and last position of its rows, and whether any row is parked.

    `read`: the notes as they were read; None if they were locked then.
    """
    statement = sql.storing_statement(
        created=bool(result.created),
        updated=bool(result.updated),
        answered=bool(result.outcomes),
        leaving=bool(rows),
        announced=announced,
    )
    parameters = chain(
        sql.note_columns(result.created.values()) if result.created else (),
        sql.updated_columns(result.updated, read) if result.updated else (),
        sql.outcome_columns(result.outcomes) if result.outcomes else (),
        outbox_columns(rows) if rows else (),
    )
    return await connection.fetchrow(statement, origin.topic, sorted(origin.partitions), origin.name, *parameters)
