"""The batch's transaction in PostgreSQL, and the rows of the outbox that it writes: byte for byte what Kafka gets."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields
from datetime import datetime
from itertools import chain
from typing import Any, Final
from uuid import UUID, uuid5

import asyncpg
from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncEngine

from notes_command.domain import events
from notes_command.domain.events import Event
from notes_command.domain.note import Note
from notes_command.outbox.row import OutboxRow, outbox_columns, pack_headers, row_headers
from notes_command.pipeline import optimistic
from notes_command.pipeline import statements as sql
from notes_command.pipeline.decide import DeadLetter, Message, Outcome, Result
from notes_command.postgres import borrowed, once_more, translated
from notes_contracts import EVENTS, format_time, outcome_type, partition_of
from notes_contracts.topics import PARTITIONS

DEAD_LETTER_IDS: Final = UUID("0a6a3f0e-6f0f-5c60-9d2b-5d1c7f4f5a11")
EVENT_TYPES: Final[Mapping[type[Event], str]] = {
    getattr(events, model.__name__): ce_type for ce_type, model in EVENTS.items()
}
"""An event of the domain has the name of its contract; one that is missing fails here, at import."""
_FIELDS: Final = {event: tuple(item.name for item in fields(event)) for event in EVENT_TYPES}


@dataclass(frozen=True, slots=True)
class Topics:
    """The names of the topics written to; names are settings."""

    events: str
    outcomes: str
    dead_letters: str


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

        A member that lost its partitions may still be storing a batch of them: the new owner waits here, and then finds
        what was stored.
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
            return None if row is None else sql.note_of(row)

        return await once_more(read)

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes of those commands that are known."""
        ids = list(command_ids)

        async def read() -> dict[str, Outcome]:
            async with borrowed(self.engine) as connection:
                return await _outcomes(connection, ids)

        return await once_more(read)

    async def look(
        self, command_ids: Iterable[str], note_ids: Iterable[str]
    ) -> tuple[dict[str, Outcome], dict[str, Note]]:
        """Return the outcomes and the notes that are known, as of one moment. Nothing is locked."""
        with translated():
            async with borrowed(self.engine) as connection:
                rows = await connection.fetch(optimistic.LOOK, list(command_ids), list(note_ids))
        return optimistic.read_from(rows)

    async def save(self, topic: str, partitions: Iterable[int], result: Result, read: Mapping[str, Note]) -> None:
        """Store a result without dead letters, in a transaction of one statement, if its notes are as they were read.

        Raises Conflict if they are not, or if one of its commands was answered meanwhile.
        """
        parts = (
            sql.note_columns(result.created.values()) if result.created else (),
            optimistic.columns_of_updated(result.updated, read) if result.updated else (),
            sql.outcome_columns(result.outcomes) if result.outcomes else (),
            outbox_columns(rows_of(result.messages, self.topics)),
        )
        statement = optimistic.store(*map(bool, parts), announced=True)
        with translated():
            async with borrowed(self.engine) as connection:
                await connection.fetchrow(statement, topic, sorted(partitions), self.name, *chain(*parts))


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
        return {note.id: note for note in map(sql.note_of, rows)}

    async def save(self, result: Result) -> None:
        """Store the result in one statement. Dead letters have a statement before it, which leaves out repeats."""
        rows = rows_of(result.messages, self.topics)
        if result.dead_letters:
            rows += await self._save_dead_letters(result.dead_letters)
        parts = (
            sql.note_columns(result.created.values()) if result.created else (),
            sql.note_columns(result.updated.values()) if result.updated else (),
            sql.outcome_columns(result.outcomes) if result.outcomes else (),
            outbox_columns(rows) if rows else (),
        )
        if any(parts):
            await self.connection.fetch(sql.save(*map(bool, parts)), *chain(*parts), self.name)

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
    return {outcome.command_id: outcome for outcome in map(sql.outcome_of, rows)}


def rows_of(messages: Iterable[Message], topics: Topics) -> list[OutboxRow]:
    """Return the rows of events and outcomes, in order."""
    # Event and outcome of a command share the key, and hashing costs most of what a row costs.
    shards: dict[str, int] = {}
    rows: list[OutboxRow] = []
    for id_, content, cause in messages:
        assert cause.command_id is not None, "who has no command id gets no message"
        key = content.note_id or cause.command_id
        shard = shards.get(key)
        if shard is None:
            shard = shards[key] = partition_of(key.encode(), PARTITIONS)
        if isinstance(content, Outcome):
            kind, type_, data = "command-outcome", outcome_type(content.status), to_json(content.data())
            topic, at, asked = topics.outcomes, content.at, content[-2:]
        else:
            kind, type_, data = "note", EVENT_TYPES[type(content)], event_data(content)
            topic, at, asked = topics.events, content.occurred_at, cause[-2:]
        row = OutboxRow(
            id=id_,
            aggregatetype=kind,
            aggregateid=key,
            type=type_,
            payload=data,
            topic=topic,
            shard=shard,
            time=at,
            subject=content.note_id,
            sequence=content.version,
            correlationid=cause.correlationid or cause.command_id,
            causationid=cause.command_id,
            traceparent=cause.traceparent,
            authtype=asked[0],
            authid=asked[1],
        )
        if cause.tracestate is not None:  # too rare for a column
            row = row._replace(key=key.encode(), headers=pack_headers(row_headers(row, cause.tracestate)))
        rows.append(row)
    return rows


def event_data(event: Event) -> bytes:
    """Return the event as JSON."""
    return to_json(
        {
            name: format_time(value) if isinstance(value := getattr(event, name), datetime) else value
            for name in _FIELDS[type(event)]
        }
    )


def dead_letter_row(dead_letter: DeadLetter, topic: str) -> OutboxRow:
    """Return the row of a dead letter: the original value, key and headers, and the headers that say why."""
    source = dead_letter.source
    added = {
        "dead-letter-code": dead_letter.code,
        "dead-letter-reason": dead_letter.reason,
        "dead-letter-topic": source.topic,
        "dead-letter-partition": str(source.partition),
        "dead-letter-offset": str(source.offset),
        "dead-letter-time": format_time(dead_letter.at),
    }
    kept = [pair for pair in source.headers if pair[0] not in added]
    position = f"{source.topic}:{source.partition}:{source.offset}"
    return OutboxRow(
        id=str(uuid5(DEAD_LETTER_IDS, position)),
        aggregatetype="dead-letter",
        aggregateid=dead_letter.note_id or dead_letter.command_id or position,
        type="dead-letter",
        payload=source.value,
        topic=topic,
        shard=0,
        time=dead_letter.at,
        causationid=dead_letter.command_id,
        key=source.key,
        headers=pack_headers([*kept, *((name, text.encode()) for name, text in added.items())]),
    )
