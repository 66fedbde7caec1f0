"""What the pipeline needs of the outside, and the ways in which the outside fails."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from notes_command.application.result import Outcome, Result
from notes_command.domain.note import Note


class UnitOfWork(Protocol):
    """One open transaction. Leaving its context commits; an exception rolls back."""

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes of those commands that are known already."""

    async def notes(self, note_ids: Iterable[str]) -> dict[str, Note]:
        """Return those notes that exist, locked until the end of the transaction."""

    async def save(self, result: Result) -> None:
        """Store everything the batch came to."""


class Store(Protocol):
    """Where notes, inbox and outbox live. Raises a StoreError, and nothing else, where it fails."""

    def transaction(self, topic: str, partitions: Iterable[int]) -> AbstractAsyncContextManager[UnitOfWork]:
        """Begin; wait until no other instance works on those source partitions."""


class Reader(Protocol):
    """Reads outside of any batch. Raises StoreError."""

    async def note(self, note_id: str) -> Note | None:
        """Return the note as the write store has it, deleted ones too."""

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes of those commands that are known."""


class StoreError(Exception):
    """The store did not do as asked. Each kind answers: will a retry help?

    StoreError
    ├── Conflict     somebody else was faster: decide the whole batch again, now
    ├── Unavailable  the store is away, or not as this code expects it: the same batch again, later
    └── BadRow       something in the batch cannot be stored: a retry never helps, a smaller batch may
    """


class Conflict(StoreError):
    """Serialisation failure, deadlock, or a key that another transaction has just taken."""


class Unavailable(StoreError):
    """No connection, shutting down, out of resources, or a schema that this code does not know."""


class BadRow(StoreError):
    """A value that the store refuses."""
