"""Process a batch of records: decode, decide and store in one transaction, and what to do where that fails.

Conflict        decide the whole batch again: what it was decided against has changed
BadRow          halve the batch, in record order, down to the one record that cannot be stored
ConnectionLost  decide the batch again, once: the pool gives another connection
Blocked         each source partition in a transaction of its own: those that are blocked wait, the others go on
Unavailable     not ours to heal: the caller waits and hands the same batch in again
BadDeploy       too many handlers raise: the caller stops consuming
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any, Final, Protocol

from notes_chassis.kafka.lag import Tracker
from notes_chassis.kafka.partitions import PartitionsSetAside
from notes_chassis.process import in_turns, logged
from notes_command.commands import HANDLERS, Handlers
from notes_command.domain.note import Note
from notes_command.errors import BadDeploy, BadRow, Blocked, Conflict, ConnectionLost
from notes_command.metrics import RETRIES
from notes_command.pipeline.decide import DecisionContext, Outcome, Result, decide_batch, give_up
from notes_command.pipeline.decode import Envelope, decode
from notes_command.pipeline.report import report, report_taken
from notes_contracts import Code, CreateNote

CONFLICTS: Final = 8  # times a batch is decided again at once; a partition that was blocked: a quarter of that
LOOKS: Final = 20  # batches after a conflict in which no create is taken to be new: repeats come together
BUGS_IN_A_ROW: Final = 20
BUGS_SUSPICIOUS_BATCH: Final = 20


class PartitionsBlocked(Blocked):
    """Source partitions of a batch that wait for what somebody else holds, with the reasons; the others are stored."""

    def __init__(self, blocked: Mapping[int, Blocked]) -> None:
        super().__init__(f"partitions {sorted(blocked)} are blocked")
        self.blocked = blocked


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

    async def look(
        self, command_ids: Iterable[str], note_ids: Iterable[str]
    ) -> tuple[dict[str, Outcome], dict[str, Note]]:
        """Return the outcomes and the notes that are known, as of one moment. Nothing is locked."""

    async def save(self, topic: str, partitions: Iterable[int], result: Result, read: Mapping[str, Note]) -> None:
        """Store a result without dead letters in one transaction, if its notes are still as they were read.

        Raises Conflict if they are not, or if one of its commands was answered meanwhile.
        """

    def transaction(
        self, topic: str, partitions: Iterable[int], *, patient: bool = True
    ) -> AbstractAsyncContextManager[UnitOfWork]:
        """Begin; wait until no other instance works on those source partitions. Locks are waited for briefly only.

        Not `patient`: so briefly that others hardly notice.
        """


@dataclass(slots=True)
class BatchProcessor:
    """Takes batches of one topic, one at a time. `results`: what is stored of the latest, whatever came of the rest."""

    store: Store
    now: Callable[[], datetime]
    new_id: Callable[[], str]
    handlers: Handlers = field(default_factory=lambda: HANDLERS)
    results: list[Result] = field(default_factory=list)
    _bugs_in_a_row: int = 0
    _to_look: int = 0
    _blocked: set[int] = field(default_factory=set)

    async def process(self, batch: Sequence[Envelope]) -> list[Result]:
        """Store what the batch comes to and return it, one result for each transaction that was needed.

        Raises PartitionsBlocked, Unavailable and BadDeploy; parts of the batch may be stored by then, which the inbox
        remembers and `results` has. A partition that was blocked is set aside: it is tried after the others, and gives
        up sooner, so that they do not wait for what it waits for.
        """
        self.results = []
        joint, set_aside = defaultdict[int, list[Envelope]](list), dict[int, list[Envelope]]()
        for envelope in batch:
            joint[envelope.source.partition].append(envelope)
        numbers = set(joint)
        for number in self._blocked & numbers:
            set_aside[number] = joint.pop(number)
        blocked: dict[int, Blocked] = {}
        if joint:
            try:
                await self._store(list(chain(*joint.values())), patient=True)
            except Blocked as error:
                if len(joint) == 1:
                    blocked = dict.fromkeys(joint, error)
                else:
                    RETRIES.labels("blocked").inc()
                    set_aside |= joint
        for number in sorted(set_aside):
            try:
                await self._store(set_aside[number], patient=False)
            except Blocked as error:
                blocked[number] = error
        self._blocked = self._blocked - numbers | blocked.keys()
        if blocked:
            raise PartitionsBlocked(blocked)
        return self.results

    async def _store(self, batch: Sequence[Envelope], *, patient: bool) -> None:
        conflicts, lost = 0, False
        while True:
            try:
                result = await self._without_locks(batch) if patient and not conflicts else None
                result = result or await self._transact(batch, patient=patient)
            except Conflict as conflict:
                RETRIES.labels("conflict").inc()
                self._to_look = LOOKS
                if (conflicts := conflicts + 1) >= (CONFLICTS if patient else CONFLICTS // 4):
                    raise Blocked(str(conflict)) from conflict
            except ConnectionLost:
                if lost:
                    raise
                RETRIES.labels("connection lost").inc()
                lost = True
            except BadRow as refusal:
                if len(batch) == 1:
                    self.results.append(await self._give_up(batch[0], str(refusal)))
                    return
                break
            else:
                self.results.append(result)
                return
        RETRIES.labels("halved").inc()
        middle = len(batch) // 2
        await self._store(batch[:middle], patient=patient)
        await self._store(batch[middle:], patient=patient)

    async def _without_locks(self, batch: Sequence[Envelope]) -> Result | None:
        """Do it in two round trips; return None, with nothing stored, where it takes locks. Raises Conflict.

        Of creates one is enough: their ids are taken to be new, and where one is not, that is a conflict.
        """
        look = self._to_look > 0 or not all(isinstance(envelope.command, CreateNote | None) for envelope in batch)
        self._to_look = max(0, self._to_look - 1)
        known, notes = await self.store.look(*_ids(batch)) if look else ({}, {})
        result = decide_batch(batch, DecisionContext(known, notes, self.now()), self.new_id, self.handlers)
        if result.dead_letters:  # only who holds the source partition may look whether they are new
            return None
        if not look and any(outcome.code not in (None, Code.INVALID) for outcome in result.outcomes):
            raise Conflict("a create was refused: it stores no note, so no key would say that the note is there")
        await self.store.save(*_place(batch), result, notes)
        self._bugs_in_a_row = self._count_bugs(result)
        return result

    async def _transact(self, batch: Sequence[Envelope], *, patient: bool) -> Result:
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
        return self.store.transaction(*_place(batch), patient=patient)

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


@dataclass(slots=True)
class CommandBatches:
    """Called with each batch of raw records, again with the same one if it raises.

    `stored` is told what every batch has come to, once that is stored; of one that fails, what is stored of it.
    """

    processor: BatchProcessor
    stored: Callable[[Sequence[Result]], None]
    tracker: Tracker

    async def __call__(self, records: Sequence[Any]) -> None:
        """Return once everything is stored. Raises StoreError, BadDeploy and PartitionsSetAside."""
        self.tracker.taken(records)
        with logged("how long a batch was on its way could not be told"):
            report_taken(records)
        batch = await in_turns(map(decode, records))
        blocked: Mapping[int, Blocked] = {}
        try:
            await self.processor.process(batch)
        except PartitionsBlocked as error:
            blocked = error.blocked
        finally:  # a retry finds what is stored by now as repeats, and says nothing of it
            results, self.processor.results = self.processor.results, []
            if results:
                with logged("what is stored could not be told"):
                    self.stored(results)
                    report(results)
        self.tracker.stored([record for record in records if record.partition not in blocked])
        if blocked:
            why = "another session holds a lock in PostgreSQL that it needs"
            raise PartitionsSetAside({number: f"{why}: {error}" for number, error in blocked.items()})


def _ids(batch: Iterable[Envelope]) -> tuple[set[str], set[str]]:
    """Return the ids of the batch's commands and of their notes."""
    command_ids = {envelope.command_id for envelope in batch if envelope.command_id is not None}
    return command_ids, {envelope.command.note_id for envelope in batch if envelope.command is not None}


def _place(batch: Sequence[Envelope]) -> tuple[str, set[int]]:
    """Return the topic and the partitions that the batch comes from."""
    return batch[0].source.topic, {envelope.source.partition for envelope in batch}
