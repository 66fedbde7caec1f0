"""Find the record that cannot be processed, so that it does not stand in the way of the others."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from notes_contracts import Code
from notes_query.errors import BadDeploy, DocumentRefused, NotesQueryError, reason_of
from notes_query.projecting.fold_batch import Counts, add_counts
from notes_query.projecting.ports import DeadLetter, DeadLetterStore
from notes_query.projections.recorded_event import Record

log = structlog.get_logger()

MAX_BUGS: Final = 20
"""Records in a row, or of one batch, that may fail for no known reason; more are a bad deploy, not bad records."""
REASON_LENGTH: Final = 1000

Process = Callable[[Sequence[Record]], Awaitable[Counts]]


@dataclass(slots=True)
class Isolate:
    """Process a batch; halve it, in record order, down to the record that the store refuses or nobody foresaw."""

    process: Process
    dead_letters: DeadLetterStore
    clock: Callable[[], datetime]
    _in_a_row: int = 0

    async def __call__(self, records: Sequence[Record]) -> Counts:
        """Return what became of the records.

        Raises StoreUnavailable, and BadDeploy if too many fail: nothing of the batch is dead-lettered then.
        """
        letters: list[DeadLetter] = []
        counts = Counts()
        await self._process(records, counts, letters)
        if letters:
            await self.dead_letters.add(letters)
            counts.dead_lettered += len(letters)
        self._in_a_row = self._in_a_row + len(letters) if len(letters) == len(records) else 0
        return counts

    async def _process(self, records: Sequence[Record], counts: Counts, letters: list[DeadLetter]) -> None:
        try:
            add_counts(counts, await self.process(records))
        except Exception as error:  # whatever it is, it must not block the partition
            if isinstance(error, NotesQueryError) and not isinstance(error, DocumentRefused):
                raise
            if len(records) > 1:
                middle = len(records) // 2
                await self._process(records[:middle], counts, letters)
                await self._process(records[middle:], counts, letters)
            else:
                self._give_up(records[0], error, letters)

    def _give_up(self, record: Record, error: Exception, letters: list[DeadLetter]) -> None:
        reason = reason_of(error)[:REASON_LENGTH]
        log.error("a record cannot be processed", topic=record.topic, offset=record.offset, exc_info=error)
        letters.append(DeadLetter(record, Code.INTERNAL, reason, self.clock()))
        if self._in_a_row + len(letters) > MAX_BUGS:
            raise BadDeploy(f"more than {MAX_BUGS} records fail, the last one with {reason}") from error
