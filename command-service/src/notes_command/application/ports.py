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

    def transaction(
        self, topic: str, partitions: Iterable[int], *, patient: bool = True
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        """Begin; wait until no other instance works on those source partitions. Locks are waited for briefly only.

        Not `patient`: so briefly that others hardly notice.
        """


class Reader(Protocol):
    """Reads outside of any batch. Raises StoreError."""

    async def note(self, note_id: str) -> Note | None:
        """Return the note as the write store has it, deleted ones too."""

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes of those commands that are known."""


class StoreError(Exception):
    """The store did not do as asked. Each kind answers: will a retry help? Its text holds nothing of any row.

    StoreError
    ├── Conflict            somebody else was faster: decide the whole batch again, now
    ├── Unavailable         the store is away, or not as this code expects it: the same batch again, later
    │   ├── ConnectionLost  only this connection: what may be done twice is done again, now, on another
    │   └── Blocked         somebody holds what the batch needs: parts of it may go on, the rest later
    └── BadRow              something in the batch cannot be stored: a retry never helps, a smaller batch may
    """


class Conflict(StoreError):
    """Serialisation failure, deadlock, or a key that another transaction has just taken."""


class Unavailable(StoreError):
    """No connection, shutting down, out of resources, or a schema that this code does not know."""


class ConnectionLost(Unavailable):
    """The connection was closed, or its server is no longer the primary. A new one may well do."""


class Blocked(Unavailable):
    """A lock was not had in time, or a statement took too long."""


class BadRow(StoreError):
    """A value that the store refuses."""
