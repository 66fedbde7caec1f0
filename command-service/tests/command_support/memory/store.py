"""The in-memory twin of PostgresStore.

Transactions are real: others see writes from the commit on, an exception takes them back, and what PostgreSQL would
lock is locked until the end.
"""

import asyncio
from collections import ChainMap
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from command_support.memory.columns import check
from command_support.memory.database import Key, MemoryDatabase, StoredRow

from notes_command.domain.note import Note
from notes_command.errors import Conflict
from notes_command.pipeline.decide import DeadLetter, Outcome, Result
from notes_command.pipeline.rows import Topics, dead_letter_row, rows_of


@dataclass(frozen=True, slots=True)
class MemoryStore:
    """Implements the port Store, and reads outside of any batch."""

    database: MemoryDatabase
    topics: Topics

    @asynccontextmanager
    async def transaction(
        self,
        topic: str,
        partitions: Iterable[int],
        *,
        patient: bool = True,  # noqa: ARG002 - locks are waited for as long as the test says
    ) -> "AsyncIterator[MemoryUnitOfWork]":
        """Begin, and hold the source partitions until the end."""
        unit = MemoryUnitOfWork(self.database, self.topics)
        try:
            for partition in sorted(partitions):
                await unit.lock("partition", topic, partition)
            yield unit
            unit.commit()
        finally:
            unit.end()

    async def read_without_locks(
        self, command_ids: Iterable[str], note_ids: Iterable[str]
    ) -> tuple[dict[str, Outcome], dict[str, Note]]:
        """Return what is known, nothing locked."""
        return _found(self.database.inbox, command_ids), _found(self.database.notes, note_ids)

    async def save(self, topic: str, partitions: Iterable[int], result: Result, read: Mapping[str, Note]) -> None:
        """Store it if its notes are as they were read."""
        async with self.transaction(topic, partitions) as unit:
            for note_id in sorted(result.updated):
                await unit.lock("note", note_id)
                if self.database.notes[note_id].version != read[note_id].version:
                    raise Conflict(f"the note {note_id} has changed")
            await unit.save(result)

    async def note(self, note_id: str) -> Note | None:
        """Return the note as it is now."""
        return self.database.notes.get(note_id)

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes of those commands that are known."""
        return _found(self.database.inbox, command_ids)


class MemoryUnitOfWork:
    """Implements the port UnitOfWork. Its writes lie over what is committed until they are."""

    def __init__(self, database: MemoryDatabase, topics: Topics) -> None:
        self._database = database
        self._topics = topics
        self._held: dict[Key, asyncio.Lock] = {}
        self._notes = ChainMap[str, Note]({}, database.notes)
        self._inbox = ChainMap[str, Outcome]({}, database.inbox)
        self._dead_letters = ChainMap[Key, DeadLetter]({}, database.dead_letters)
        self._outbox: dict[int, StoredRow] = {}

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes that are known."""
        return _found(self._inbox, command_ids)

    async def notes(self, note_ids: Iterable[str]) -> dict[str, Note]:
        """Return the notes that exist, locked; one that does not exist cannot be."""
        for note_id in sorted(note_ids):
            if note_id in self._notes:
                await self.lock("note", note_id)
        return _found(self._notes, note_ids)

    async def save(self, result: Result) -> None:
        """Store the result."""
        for note in result.created.values():
            check(note)
            await self._insert("note", note.id, self._notes, note)
        for note in result.updated.values():
            check(note)
            await self.lock("note", note.id)
            if stored := self._notes.get(note.id):
                self._notes[note.id] = replace(note, created_at=stored.created_at)
        for outcome in result.outcomes:
            check(outcome)
            await self._insert("inbox", outcome.command_id, self._inbox, outcome)
        rows = rows_of(result.messages, self._topics)
        for dead_letter in result.dead_letters:
            if await self._is_new(dead_letter):
                rows.append(dead_letter_row(dead_letter, self._topics.dead_letters))
        for row in rows:
            check(row)
            self._outbox[next(self._database.positions)] = StoredRow(row, self._database.clock())

    async def lock(self, *key: object) -> None:
        """Wait until nobody else has this lock. Raises Conflict when it is not had in time: a deadlock, likely."""
        if key in self._held:
            return
        lock = self._database.locks[key]
        try:
            async with asyncio.timeout(self._database.lock_timeout_s):
                await lock.acquire()
        except TimeoutError:
            raise Conflict(f"no lock on {key} within {self._database.lock_timeout_s:g} s") from None
        self._held[key] = lock

    def commit(self) -> None:
        """Let others see the writes."""
        database = self._database
        database.notes.update(self._notes.maps[0])
        database.inbox.update(self._inbox.maps[0])
        database.dead_letters.update(self._dead_letters.maps[0])
        database.outbox.update(self._outbox)
        if self._outbox:
            for subscriber in database.subscribers:
                subscriber()

    def end(self) -> None:
        """Give the locks back."""
        for lock in self._held.values():
            lock.release()

    async def _insert(self, table: str, key: str, rows: ChainMap[str, Any], row: Any) -> None:
        await self.lock(table, key)
        if key in rows:
            raise Conflict(f"there is a row {key} in {table} already")
        rows[key] = row

    async def _is_new(self, dead_letter: DeadLetter) -> bool:
        check(dead_letter)
        source = dead_letter.source
        position = (source.topic, source.partition, source.offset)
        await self.lock("dead letter", *position)
        there = [kept.source for key, kept in self._dead_letters.items() if key[:3] == position]
        if source in there:
            return False
        self._dead_letters[(*position, len(there)) if there else position] = dead_letter
        return True


def _found(rows: Any, keys: Iterable[str]) -> dict[str, Any]:
    return {key: rows[key] for key in keys if key in rows}
