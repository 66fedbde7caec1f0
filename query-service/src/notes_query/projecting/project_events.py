"""Bring the documents of a build up to date with a batch of records."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

from notes_chassis.turns import in_turns
from notes_query.errors import Undecodable
from notes_query.projecting.concurrently import in_shares, together
from notes_query.projecting.decode_event import decode_event
from notes_query.projecting.fold_batch import Counts, add_counts
from notes_query.projecting.ports import DeadLetter, DeadLetterStore
from notes_query.projections.recorded_event import Record, RecordedEvent

Part = Callable[[Sequence[RecordedEvent]], Awaitable[Counts]]
"""FoldReadModel or EnterReadModel: brings one read model up to date."""


class ProjectEvents:
    """Decode each record once, then bring all read models up to date. Nothing is acknowledged here."""

    def __init__(self, parts: Sequence[Part], dead_letters: DeadLetterStore, clock: Callable[[], datetime]) -> None:
        self._parts = parts
        self._dead_letters = dead_letters
        self._clock = clock

    async def __call__(self, records: Sequence[Record]) -> Counts:
        """Return what became of the records, in all read models together.

        Raises StoreUnavailable; the same batch again is harmless.
        """
        return await in_shares(records, self._project)

    async def _project(self, records: Sequence[Record]) -> Counts:
        letters: list[DeadLetter] = []
        decoded = await in_turns(self._decoded(record, letters) for record in records)
        events = [event for event in decoded if event is not None]
        if letters:
            await self._dead_letters.add(letters)
        counts = Counts(dead_lettered=len(letters))
        if events:
            add_counts(counts, await together(part(events) for part in self._parts))
        return counts

    def _decoded(self, record: Record, letters: list[DeadLetter]) -> RecordedEvent | None:
        try:
            return decode_event(record)
        except Undecodable as error:
            letters.append(DeadLetter(record, error.code, str(error), self._clock()))
            return None
