"""The batch's transaction in PostgreSQL."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import chain
from typing import Any

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.columns import columns
from notes_command.domain.note import Note
from notes_command.outbox.row import OutboxRow, outbox_columns, pack_headers
from notes_command.pipeline import statements as sql
from notes_command.pipeline.envelope import DeadLetter, Outcome, Result, type_in
from notes_command.pipeline.messages import Topics, dead_letter_row, rows_of
from notes_command.pipeline.statements import note_columns, note_of, outcome_columns, outcome_of
from notes_command.postgres import borrowed, once_more, translated


@dataclass(frozen=True, slots=True)
class PostgresStore:
    """Notes, inbox and outbox; raises a StoreError and nothing else. `name`: what its commits are announced under."""

    engine: AsyncEngine
    topics: Topics
    name: str = ""

    @asynccontextmanager
    async def transaction(
        self, topic: str, partitions: Iterable[int], *, patient: bool = True
    ) -> "AsyncIterator[PostgresUnitOfWork]":
        """Begin, and hold the source partitions until the end.

        A member that was fenced off while it worked may still be at it: whoever got its partition waits here, and
        then finds what was stored.
        """
        with translated():
            async with borrowed(self.engine) as connection:
                await connection.execute(sql.begin(topic, partitions, patient=patient))
                try:
                    yield PostgresUnitOfWork(connection, self.topics, self.name)
                except Exception:
                    if not connection.is_closed():
                        await connection.execute("ROLLBACK")
                    raise
                await connection.execute("COMMIT")

    async def note(self, note_id: str) -> Note | None:
        """Return the note as it is now."""

        async def read() -> Note | None:
            async with borrowed(self.engine) as connection:
                row = await connection.fetchrow(sql.NOTE, note_id)
            return None if row is None else note_of(row)

        return await once_more(read)

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes of those commands that are known."""
        ids = list(command_ids)

        async def read() -> dict[str, Outcome]:
            async with borrowed(self.engine) as connection:
                return await _outcomes(connection, ids)

        return await once_more(read)


@dataclass(frozen=True, slots=True)
class PostgresUnitOfWork:
    """One connection, inside its transaction."""

    connection: "asyncpg.Connection[Any]"
    topics: Topics
    name: str

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes that are known; a statement of its own, so that it sees what the lock waited for."""
        return await _outcomes(self.connection, command_ids)

    async def notes(self, note_ids: Iterable[str]) -> dict[str, Note]:
        """Return the notes that exist, their rows locked."""
        rows = await self.connection.fetch(sql.NOTES_FOR_UPDATE, list(note_ids))
        return {note.id: note for note in map(note_of, rows)}

    async def save(self, result: Result) -> None:
        """Store the result, in one statement; dead letters in one of their own before, since repeats of them go."""
        rows = rows_of(result.messages, self.topics)
        if result.dead_letters:
            rows += await self._save_dead_letters(result.dead_letters)
        parts = (
            note_columns(result.created.values()) if result.created else (),
            note_columns(result.updated.values()) if result.updated else (),
            outcome_columns(result.outcomes) if result.outcomes else (),
            outbox_columns(rows) if rows else (),
        )
        if any(parts):
            await self.connection.fetch(sql.save(*map(bool, parts)), *chain(*parts), self.name)

    async def _save_dead_letters(self, dead_letters: list[DeadLetter]) -> list[OutboxRow]:
        """Store the dead letters and return the rows of those that were not there before."""
        found = await self.connection.fetch(sql.INSERT_DEAD_LETTERS, *_dead_letter_columns(dead_letters))
        new = {tuple(row) for row in found}
        return [
            dead_letter_row(dead_letter, self.topics.dead_letters)
            for dead_letter in dead_letters
            if (dead_letter.source.topic, dead_letter.source.partition, dead_letter.source.offset) in new
        ]


async def _outcomes(connection: "asyncpg.Connection[Any]", command_ids: Iterable[str]) -> dict[str, Outcome]:
    rows = await connection.fetch(sql.OUTCOMES, list(command_ids))
    return {outcome.command_id: outcome for outcome in map(outcome_of, rows)}


def _dead_letter_columns(dead_letters: list[DeadLetter]) -> tuple[list[Any], ...]:
    names = ("topic", "partition", "offset", "key", "value")
    source = columns([dead_letter.source for dead_letter in dead_letters], names, 5)
    headers = [pack_headers(dead_letter.source.headers) for dead_letter in dead_letters]
    types = [type_in(dead_letter.source) for dead_letter in dead_letters]
    return (*source, headers, types, *columns(dead_letters, ("command_id", "note_id", "code", "reason", "at"), 5))
