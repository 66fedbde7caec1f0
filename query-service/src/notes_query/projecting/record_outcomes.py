"""Keep the outcomes of a batch of records, and await the versions that they announce."""

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, TypedDict
from zlib import crc32

from notes_chassis.process import in_turns
from notes_contracts import OUTCOMES, Outcome, parse_time, read
from notes_contracts.validation import json_validator
from notes_query.errors import Undecodable
from notes_query.mongo.database import Database
from notes_query.mongo.driver import by_id, driver_errors, insert_missing
from notes_query.projecting.counts import Counts
from notes_query.projecting.project_events import data_of, why_missing
from notes_query.projecting.stored_record import DeadLetter, DeadLetterStore
from notes_query.projecting.waiters import Waiters
from notes_query.projections.read_model import ASCENDING, Index, Kept, Record

KEPT_S: Final = 30 * 24 * 60 * 60
KEPT: Final = Kept(collection="outcomes", indexes=(Index("expiry", (("at", ASCENDING),), expire_after_s=KEPT_S),))
AWAITED: Final = timedelta(seconds=30)
"""How long after its outcome a version may take to arrive, before it is checked whether it is missing."""
REACHED_AT_MOST: Final = 20_000
"""Notes whose stored versions are remembered; their ids take 3 MB."""
_validate: Final = json_validator(Outcome)


class ErrorDocument(TypedDict):
    """Why a command was not accepted."""

    code: str
    message: str


class OutcomeDocument(TypedDict):
    """An outcome as it is stored; `_id` is the command id."""

    _id: str
    note_id: str | None
    status: str
    version: int | None
    error: ErrorDocument | None
    at: datetime
    digest: str | None


def document_of(outcome: Outcome) -> OutcomeDocument:
    """Return the document of an outcome."""
    error = outcome.error
    return OutcomeDocument(
        _id=outcome.command_id,
        note_id=outcome.note_id,
        status=outcome.status,
        version=outcome.version,
        error=None if error is None else ErrorDocument(code=error.code, message=error.message),
        at=parse_time(outcome.at),
        digest=outcome.digest,
    )


class OutcomeStore:
    """Outcomes by command id, each written once. Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._outcomes = database[KEPT.collection]

    async def add(self, outcomes: Sequence[OutcomeDocument]) -> None:
        """Insert the outcomes that are missing; the others stay as they are."""
        await insert_missing(self._outcomes, outcomes)

    async def many(self, command_ids: Collection[str]) -> dict[str, OutcomeDocument]:
        """Return the stored outcomes of these commands by command id, in one query."""
        with driver_errors():
            return await by_id(self._outcomes, command_ids)


class ReachedVersions:
    """Versions that this process has stored of the notes written last, in the documents that readers get.

    A version that is not remembered here may be stored all the same.
    """

    def __init__(self, max_notes: int = REACHED_AT_MOST) -> None:
        self._half = max_notes // 2
        self._newer: dict[str, int] = {}
        self._older: dict[str, int] = {}

    def add(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Remember the versions of documents that are stored."""
        for document in documents:
            if len(self._newer) >= self._half:  # half of all goes at once: to forget one by one would cost more
                self._older = self._newer
                self._newer = {}
            if document["version"] > self._newer.get(document["_id"], 0):
                self._newer[document["_id"]] = document["version"]

    def holds(self, note_id: str, version: int) -> bool:
        """Return whether the note's document is known to have reached this version."""
        return self._newer.get(note_id, 0) >= version or self._older.get(note_id, 0) >= version


class AwaitedVersions(Protocol):
    """Versions that accepted outcomes have announced. Raises StoreUnavailable."""

    async def expect(self, batch: str, versions: Mapping[str, int], due: datetime) -> None:
        """Store the versions that a batch announces, the highest of each note. The same batch again changes nothing."""


class RecordOutcomes:
    """Decode outcomes, store each once, and wake the readers that wait. The caller commits the offsets.

    A version that `reached` holds need not be awaited.
    """

    def __init__(
        self,
        outcomes: OutcomeStore,
        dead_letters: DeadLetterStore,
        waiters: Waiters,
        clock: Callable[[], datetime],
        awaited: AwaitedVersions,
        *,
        awaited_for: timedelta = AWAITED,
        reached: ReachedVersions | None = None,
    ) -> None:
        self._outcomes = outcomes
        self._awaited = awaited
        self._awaited_for = awaited_for
        self._reached = reached or ReachedVersions()
        self._dead_letters = dead_letters
        self._waiters = waiters
        self._clock = clock

    async def __call__(self, records: Sequence[Record]) -> Counts:
        """Return what became of the records. Raises StoreUnavailable; the same batch again is harmless."""
        documents: dict[str, OutcomeDocument] = {}
        dead_letters: list[DeadLetter] = []

        def decode(record: Record) -> None:
            try:
                document = decode_outcome(record)
                documents.setdefault(document["_id"], document)
            except Undecodable as error:
                dead_letters.append(DeadLetter(record, error.code, str(error), self._clock()))

        await in_turns(map(decode, records))
        if dead_letters:
            await self._dead_letters.add(dead_letters)
        if documents:
            # The offsets are committed once both are done, and both may be repeated.
            await asyncio.gather(self._await(records, documents.values()), self._outcomes.add(list(documents.values())))
            for command_id, document in documents.items():
                self._waiters.wake(command_id, 1, document)
        return Counts(applied=len(documents), dead_lettered=len(dead_letters))

    async def _await(self, records: Sequence[Record], documents: Iterable[OutcomeDocument]) -> None:
        versions: dict[str, int] = {}
        for document in documents:
            note_id, version = document["note_id"], document["version"]
            if document["status"] == "accepted" and note_id is not None and version is not None:
                versions[note_id] = max(version, versions.get(note_id, 0))
        versions = {
            note_id: version for note_id, version in versions.items() if not self._reached.holds(note_id, version)
        }
        if versions:
            await self._awaited.expect(batch_name(records), versions, self._clock() + self._awaited_for)


def batch_name(records: Iterable[Record]) -> str:
    """Return a name for exactly these records. A repeat with other first or last records is another batch.

    The name has a checksum of the values, since a topic that was made anew uses the same offsets again.
    """
    offsets: dict[tuple[str, int], list[int]] = {}
    checksum = 0
    for record in records:
        offsets.setdefault((record.topic, record.partition), []).append(record.offset)
        checksum ^= crc32(record.value or b"")  # the same in any order of the records
    ranges = [f"{topic}:{partition}:{min(its)}-{max(its)}" for (topic, partition), its in sorted(offsets.items())]
    return f"{' '.join(ranges)} {checksum:08x}"


def decode_outcome(record: Record) -> OutcomeDocument:
    """Return the document of an outcome's record. Raises Undecodable if the record is not an outcome."""
    received = read(record.headers, record.value)
    if received.type is None:
        raise Undecodable(why_missing(record, "type"))
    if received.type not in OUTCOMES:
        raise Undecodable("ce_type is not an outcome's")
    return document_of(data_of(received, Outcome, _validate))
