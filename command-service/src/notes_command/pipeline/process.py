"""Process a batch: decide it and store it in one transaction. Where that fails:

Conflict        decide the whole batch again: the notes or outcomes that it was decided against have changed
BadRow          halve the batch, in record order, down to the one record that cannot be stored
ConnectionLost  decide the batch again, once: the pool gives another connection
Blocked         store each source partition in a transaction of its own: blocked partitions wait, the others go on
Unavailable     raise: the caller waits and processes the same batch again
BadDeploy       raise: too many handlers have bugs, the caller stops consuming
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Final, Protocol

from notes_command.commands import HANDLERS, Handlers
from notes_command.domain.note import Note
from notes_command.errors import BadDeploy, BadRow, Blocked, Conflict, ConnectionLost
from notes_command.metrics import RETRIES
from notes_command.pipeline.decide import DecisionContext, Outcome, Result, decide_batch, give_up
from notes_command.pipeline.decode import Envelope
from notes_contracts import Code, CreateNote

CONFLICTS: Final = 8
"""Conflicts after which a batch counts as blocked. A partition that was blocked before has a quarter of that."""
READ_AFTER_CONFLICT: Final = 20
"""Batches that are read after a conflict, even if they hold creates alone: repeats come close together."""
BUGS_IN_A_ROW: Final = 20
BUGS_SUSPICIOUS_BATCH: Final = 20
"""Commands of a batch from which on it is suspicious that half of them fail by bugs."""


class PartitionsBlocked(Blocked):
    """Some source partitions of a batch wait for locks of somebody else. The other partitions are stored."""

    def __init__(self, blocked: Mapping[int, Blocked]) -> None:
        super().__init__(f"partitions {sorted(blocked)} are blocked")
        self.blocked = blocked


class UnitOfWork(Protocol):
    """An open transaction. Leaving its context commits; an exception rolls back."""

    async def outcomes(self, command_ids: Iterable[str]) -> dict[str, Outcome]:
        """Return the outcomes of those commands that were decided before."""

    async def notes(self, note_ids: Iterable[str]) -> dict[str, Note]:
        """Return those notes that exist, locked until the end of the transaction."""

    async def save(self, result: Result) -> None:
        """Store all writes of the batch."""


class Store(Protocol):
    """Holds notes, inbox and outbox. Raises only StoreErrors."""

    async def read_without_locks(
        self, command_ids: Iterable[str], note_ids: Iterable[str]
    ) -> tuple[dict[str, Outcome], dict[str, Note]]:
        """Return those outcomes and notes that exist, as of one moment. Nothing is locked."""

    async def save(self, topic: str, partitions: Iterable[int], result: Result, read: Mapping[str, Note]) -> None:
        """Store a result without dead letters in one transaction, if its notes are still as they were read.

        Raises Conflict if they are not, or if one of its commands was answered meanwhile.
        """

    def transaction(
        self, topic: str, partitions: Iterable[int], *, patient: bool = True
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        """Begin, and lock those source partitions, so that no other instance works on them.

        Locks are waited for briefly; if not `patient`, so briefly that other partitions hardly notice.
        """


@dataclass(slots=True)
class BatchProcessor:
    """Processes batches of one topic, one at a time. `results`: what is stored of the latest one, even if it failed."""

    store: Store
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    handlers: Handlers = field(default_factory=lambda: HANDLERS)
    results: list[Result] = field(default_factory=list)
    _bugs_in_a_row: int = 0
    _batches_to_read: int = 0
    _blocked: set[int] = field(default_factory=set)

    async def process(self, batch: Sequence[Envelope]) -> list[Result]:
        """Store the writes of the batch, and return a result for each transaction that was needed.

        Raises PartitionsBlocked, Unavailable and BadDeploy. Parts of the batch may be stored by then: `results` has
        them, and the inbox knows their commands. A partition that was blocked is set aside: it is tried after the
        others and gives up sooner, so that the others do not wait for its locks.
        """
        self.results = []
        joint = defaultdict[int, list[Envelope]](list)
        for envelope in batch:
            joint[envelope.source.partition].append(envelope)
        partitions = set(joint)
        set_aside = {partition: joint.pop(partition) for partition in self._blocked & partitions}
        blocked: dict[int, Blocked] = {}
        try:
            if joint:
                await self._store(list(chain(*joint.values())), patient=True)
        except Blocked as error:
            if len(joint) == 1:
                blocked = dict.fromkeys(joint, error)
            else:
                RETRIES.labels("blocked").inc()
                set_aside |= joint
        for partition in sorted(set_aside):
            try:
                await self._store(set_aside[partition], patient=False)
            except Blocked as error:
                blocked[partition] = error
        self._blocked = self._blocked - partitions | blocked.keys()
        if blocked:
            raise PartitionsBlocked(blocked)
        return self.results

    async def _store(self, batch: Sequence[Envelope], *, patient: bool) -> None:
        """Store the batch, if need be in halves. A record that cannot be stored by itself becomes a dead letter."""
        try:
            self.results.append(await self._decide_and_store(batch, patient=patient))
        except BadRow as refusal:
            if len(batch) == 1:
                self.results.append(await self._give_up(batch[0], str(refusal)))
                return
        else:
            return
        RETRIES.labels("halved").inc()
        middle = len(batch) // 2
        await self._store(batch[:middle], patient=patient)
        await self._store(batch[middle:], patient=patient)

    async def _decide_and_store(self, batch: Sequence[Envelope], *, patient: bool) -> Result:
        """Decide and store the batch; again after a conflict, and once after a lost connection.

        Raises Blocked after too many conflicts, BadRow, and Unavailable.
        """
        limit = CONFLICTS if patient else CONFLICTS // 4
        conflicts = 0
        connection_lost = False
        while True:
            try:
                if patient and conflicts == 0:
                    result = await self._store_without_locks(batch)
                    if result is not None:
                        return result
                return await self._store_behind_locks(batch, patient=patient)
            except Conflict as conflict:
                RETRIES.labels("conflict").inc()
                self._batches_to_read = READ_AFTER_CONFLICT
                conflicts += 1
                if conflicts >= limit:
                    raise Blocked(str(conflict)) from conflict
            except ConnectionLost:
                if connection_lost:
                    raise
                RETRIES.labels("connection lost").inc()
                connection_lost = True

    async def _store_without_locks(self, batch: Sequence[Envelope]) -> Result | None:
        """Read, decide and store in two round trips. Return None, with nothing stored, if this needs locks.

        A batch of creates alone takes one round trip: their ids are taken to be new. Raises Conflict if one is not.
        """
        creates_only = all(isinstance(envelope.command, CreateNote | None) for envelope in batch)
        assumed_new = creates_only and self._batches_to_read == 0
        self._batches_to_read = max(0, self._batches_to_read - 1)
        known, notes = ({}, {}) if assumed_new else await self.store.read_without_locks(*_ids(batch))
        result = decide_batch(batch, DecisionContext(known, notes, self.now()), self.new_id, self.handlers)
        if result.dead_letters:  # whether they are new is known only behind the lock of the source partition
            return None
        if assumed_new and any(outcome.code not in (None, Code.INVALID) for outcome in result.outcomes):
            raise Conflict("a create was refused: it stores no note, so no key would say that the note is there")
        await self.store.save(*_source_of(batch), result, notes)
        self._bugs_in_a_row = self._count_bugs(result)
        return result

    async def _store_behind_locks(self, batch: Sequence[Envelope], *, patient: bool) -> Result:
        command_ids, note_ids = _ids(batch)
        async with self._begin(batch, patient=patient) as unit:
            known = await unit.outcomes(command_ids)
            notes = await unit.notes(note_ids)
            result = decide_batch(batch, DecisionContext(known, notes, self.now()), self.new_id, self.handlers)
            bugs_in_a_row = self._count_bugs(result)
            await unit.save(result)
        self._bugs_in_a_row = bugs_in_a_row
        return result

    async def _give_up(self, envelope: Envelope, reason: str) -> Result:
        result = give_up(envelope, reason, self.now(), self.new_id)
        async with self._begin([envelope]) as unit:
            await unit.save(result)
        return result

    def _begin(self, batch: Sequence[Envelope], *, patient: bool = True) -> AbstractAsyncContextManager[UnitOfWork]:
        return self.store.transaction(*_source_of(batch), patient=patient)

    def _count_bugs(self, result: Result) -> int:
        """Return how many commands in a row have failed by bugs after this batch. Raises BadDeploy if too many have."""
        bugs, decided = len(result.bugs), len(result.outcomes)
        if not bugs:
            return 0 if decided else self._bugs_in_a_row
        in_a_row = longest = self._bugs_in_a_row
        for outcome in result.outcomes:
            in_a_row = in_a_row + 1 if outcome.code == Code.INTERNAL else 0
            longest = max(longest, in_a_row)
        if longest > BUGS_IN_A_ROW or (decided >= BUGS_SUSPICIOUS_BATCH and 2 * bugs >= decided):
            raise BadDeploy(f"{bugs} of {decided} commands failed by bugs, {longest} in a row") from result.bugs[0]
        return in_a_row


def _ids(batch: Iterable[Envelope]) -> tuple[set[str], set[str]]:
    """Return the ids of the batch's commands and of their notes."""
    command_ids = {envelope.command_id for envelope in batch if envelope.command_id is not None}
    return command_ids, {envelope.command.note_id for envelope in batch if envelope.command is not None}


def _source_of(batch: Sequence[Envelope]) -> tuple[str, set[int]]:
    """Return the topic and the partitions that the batch comes from."""
    return batch[0].source.topic, {envelope.source.partition for envelope in batch}
