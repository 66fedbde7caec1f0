"""What the pipeline needs of the store."""

from collections.abc import Iterable
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from notes_command.domain.note import Note
from notes_command.pipeline.result import Outcome, Result


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
