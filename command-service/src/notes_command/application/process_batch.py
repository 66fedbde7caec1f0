"""Process a batch: one transaction, and what to do where it fails.

Conflict     decide the whole batch again: what it was decided against has changed
BadRow       halve the batch, in record order, down to the one record that cannot be stored
Unavailable  not ours to heal: the caller waits and hands the same batch in again
BadDeploy    too many handlers raise: the caller stops consuming
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime

from notes_command.application.decide_batch import Present, decide_batch, give_up
from notes_command.application.handlers import HANDLERS, Handlers
from notes_command.application.incoming import Incoming
from notes_command.application.ports import BadRow, Conflict, Store, UnitOfWork
from notes_command.application.result import Result
from notes_contracts import Code

CONFLICTS_BEFORE_HALVING = 8
BUGS_IN_A_ROW = 20
BUGS_SUSPICIOUS_BATCH = 20


class BadDeploy(Exception):
    """So many commands fail by bugs that the code, not the commands, must be wrong. Nothing was stored."""


@dataclass(slots=True)
class BatchProcessor:
    """Takes batches of one topic, one at a time. `retried` is told why a batch has to be decided again."""

    store: Store
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    handlers: Handlers = field(default_factory=lambda: HANDLERS)
    retried: Callable[[str], None] = lambda _: None
    _bugs_in_a_row: int = 0

    async def process(self, batch: Sequence[Incoming]) -> list[Result]:
        """Store what the batch comes to and return it, one result for each transaction that was needed.

        Raises Unavailable and BadDeploy; parts of the batch may be stored by then, which the inbox remembers.
        """
        for _ in range(CONFLICTS_BEFORE_HALVING):
            try:
                return [await self._transact(batch)]
            except Conflict:
                self.retried("conflict")
                continue
            except BadRow as refusal:
                if len(batch) == 1:
                    return [await self._give_up(batch[0], str(refusal))]
                break
        if len(batch) == 1:
            return [await self._transact(batch)]
        self.retried("halved")
        middle = len(batch) // 2
        return [*await self.process(batch[:middle]), *await self.process(batch[middle:])]

    async def _transact(self, batch: Sequence[Incoming]) -> Result:
        command_ids = {incoming.command_id for incoming in batch if incoming.command_id is not None}
        note_ids = {incoming.command.note_id for incoming in batch if incoming.command is not None}
        async with self._begin(batch) as unit:
            known = await unit.outcomes(command_ids)
            notes = await unit.notes(note_ids)
            result = decide_batch(batch, Present(known, notes, self.now()), self.new_id, self.handlers)
            bugs_in_a_row = self._count_bugs(result)
            await unit.save(result)
        self._bugs_in_a_row = bugs_in_a_row
        return result

    async def _give_up(self, incoming: Incoming, reason: str) -> Result:
        result = give_up(incoming, reason, self.now(), self.new_id)
        async with self._begin([incoming]) as unit:
            await unit.save(result)
        return result

    def _begin(self, batch: Sequence[Incoming]) -> AbstractAsyncContextManager[UnitOfWork]:
        source = batch[0].source
        return self.store.transaction(source.topic, {incoming.source.partition for incoming in batch})

    def _count_bugs(self, result: Result) -> int:
        """Return the bugs in a row after this batch. Raises BadDeploy if they are too many."""
        bugs, decided = len(result.bugs), len(result.outcomes)
        if not bugs:
            return 0 if decided else self._bugs_in_a_row
        in_a_row = longest = self._bugs_in_a_row
        for outcome in result.outcomes:
            in_a_row = in_a_row + 1 if outcome.code is Code.INTERNAL else 0
            longest = max(longest, in_a_row)
        if longest > BUGS_IN_A_ROW or (decided >= BUGS_SUSPICIOUS_BATCH and 2 * bugs >= decided):
            raise BadDeploy(f"{bugs} of {decided} commands failed by bugs, {longest} in a row") from result.bugs[0]
        return in_a_row
