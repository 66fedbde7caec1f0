"""The twin, made to fail as told."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from command_support.memory.store import MemoryStore, MemoryUnitOfWork

from notes_command.domain.note import Note
from notes_command.errors import Conflict, StoreError
from notes_command.pipeline.decide import Outcome, Result

Fails = Callable[[Result], StoreError | None]


@dataclass
class FailingUnit:
    """A unit of work that asks `fails` before it saves."""

    inner: MemoryUnitOfWork
    fails: Fails

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        return await self.inner.outcomes(command_ids)

    async def notes(self, note_ids: Iterable[str]) -> dict[str, Note]:
        return await self.inner.notes(note_ids)

    async def save(self, result: Result) -> None:
        await self.inner.save(result)
        if error := self.fails(result):
            raise error


@dataclass
class FailingStore:
    """`fails` is asked with every result that is saved; `attempts` keeps what it was asked with."""

    inner: MemoryStore
    fails: Fails
    attempts: list[Result] = field(default_factory=list)
    begun: list[tuple[frozenset[int], bool]] = field(default_factory=list)
    reads: int = 0

    @asynccontextmanager
    async def transaction(
        self, topic: str, partitions: Iterable[int], *, patient: bool = True
    ) -> AsyncIterator[FailingUnit]:
        self.begun.append((frozenset(partitions), patient))
        async with self.inner.transaction(topic, partitions) as unit:
            yield FailingUnit(unit, self._asked)

    async def read_without_locks(
        self, command_ids: Iterable[str], note_ids: Iterable[str]
    ) -> tuple[dict[str, Outcome], dict[str, Note]]:
        self.reads += 1
        return await self.inner.read_without_locks(command_ids, note_ids)

    async def save(self, topic: str, partitions: Iterable[int], result: Result, read: Mapping[str, Note]) -> None:
        async with self.transaction(topic, partitions) as unit:
            if (now := await unit.notes(result.updated)) != {one: read[one] for one in now}:
                raise Conflict("a note has changed")
            await unit.save(result)

    def _asked(self, result: Result) -> StoreError | None:
        self.attempts.append(result)
        return self.fails(result)
