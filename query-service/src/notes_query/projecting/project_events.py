"""Decode a batch of records once and bring all read models up to date; a record that fails becomes a dead letter."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from time import monotonic
from types import MappingProxyType
from typing import Final, TypeVar

import structlog
from pydantic import BaseModel, ValidationError

from notes_chassis.memory import trim_memory
from notes_chassis.process import in_turns
from notes_chassis.unread import why_unread
from notes_contracts import EVENTS, Code, Received, parse_id, parse_time, read
from notes_contracts.slips import missing
from notes_contracts.validation import DATA_MAX, json_validator, refusal, too_large
from notes_query.errors import BadDeploy, DocumentRefused, NotesQueryError, Undecodable, reason_of
from notes_query.projecting.counts import Counts, add_counts
from notes_query.projecting.recent_documents import MANY
from notes_query.projecting.stored_record import DeadLetter, DeadLetterStore
from notes_query.projections.read_model import Record, RecordedEvent

log = structlog.get_logger()

MAX_BUGS: Final = 20
"""Records in a row, or of one batch, that may fail for an unknown reason; more show a bad deploy, not bad records."""
REASON_LENGTH: Final = 1000
"""Characters of a dead letter's reason."""
CHUNK: Final = 1_000
"""Records of a chunk. With smaller chunks the round trips cost more than the overlap saves."""
TRIM_S: Final = 2.0
"""Seconds between two calls of `trim_memory` after large batches. `trim_memory` takes 2 ms."""
MAX_CONCURRENT_CHUNKS: Final = 3
"""Each uses a thread of the driver for a while, and keeps its records in memory."""
_SEQUENCE_DIGITS: Final = 18
"""A version of so many digits fits the 64 bits that a store has for it."""
_TYPE_MAX: Final = 200
"""Characters of an unknown type that are kept."""
_VALIDATORS: Final = MappingProxyType({name: json_validator(model) for name, model in EVENTS.items()})

Model = TypeVar("Model", bound=BaseModel)
ProcessRecords = Callable[[Sequence[Record]], Awaitable[Counts]]
ProjectionStep = Callable[[Sequence[RecordedEvent]], Awaitable[Counts]]
"""FoldReadModel or EnterReadModel: brings one read model up to date."""


@dataclass(slots=True)
class Isolate:
    """Process a batch. If that fails, process its halves, in order, down to the record that cannot be processed."""

    process: ProcessRecords
    dead_letters: DeadLetterStore
    clock: Callable[[], datetime]
    _in_a_row: int = 0

    async def __call__(self, records: Sequence[Record]) -> Counts:
        """Return what became of the records.

        Raises StoreUnavailable, and BadDeploy if too many fail: nothing of the batch is dead-lettered then.
        """
        dead_letters: list[DeadLetter] = []
        counts = Counts()
        await self._process(records, counts, dead_letters)
        if dead_letters:
            await self.dead_letters.add(dead_letters)
            counts.dead_lettered += len(dead_letters)
        self._in_a_row = self._in_a_row + len(dead_letters) if len(dead_letters) == len(records) else 0
        return counts

    async def _process(self, records: Sequence[Record], counts: Counts, dead_letters: list[DeadLetter]) -> None:
        try:
            add_counts(counts, await self.process(records))
        except Exception as error:  # no error may block the partition
            if isinstance(error, NotesQueryError) and not isinstance(error, DocumentRefused):
                raise
            if len(records) > 1:
                middle = len(records) // 2
                await self._process(records[:middle], counts, dead_letters)
                await self._process(records[middle:], counts, dead_letters)
            else:
                self._give_up(records[0], error, dead_letters)

    def _give_up(self, record: Record, error: Exception, dead_letters: list[DeadLetter]) -> None:
        reason = reason_of(error)[:REASON_LENGTH]
        log.error("a record cannot be processed", topic=record.topic, offset=record.offset, exc_info=error)
        dead_letters.append(DeadLetter(record, Code.INTERNAL, reason, self.clock()))
        if self._in_a_row + len(dead_letters) > MAX_BUGS:
            raise BadDeploy(f"more than {MAX_BUGS} records fail, the last one with {reason}") from error


class ProjectEvents:
    """Decode each record once, then bring all read models up to date. The caller commits the offsets."""

    def __init__(
        self, steps: Sequence[ProjectionStep], dead_letters: DeadLetterStore, clock: Callable[[], datetime]
    ) -> None:
        self._steps = steps
        self._dead_letters = dead_letters
        self._clock = clock
        self._trimmed_at = monotonic()

    async def __call__(self, records: Sequence[Record]) -> Counts:
        """Return what became of the records, in all read models together.

        Raises StoreUnavailable; the same batch again is harmless.
        """
        counts = await in_chunks(records, self._project)
        if len(records) >= MANY and monotonic() - self._trimmed_at >= TRIM_S:
            # The batch's objects are gone now. Without this the free memory between the objects in use would grow.
            trim_memory()
            self._trimmed_at = monotonic()
        return counts

    async def _project(self, records: Sequence[Record]) -> Counts:
        dead_letters: list[DeadLetter] = []
        decoded = await in_turns(self._decoded(record, dead_letters) for record in records)
        events = [event for event in decoded if event is not None]
        if dead_letters:
            await self._dead_letters.add(dead_letters)
        counts = Counts(dead_lettered=len(dead_letters))
        if events:
            add_counts(counts, await concurrently([step(events) for step in self._steps]))
        return counts

    def _decoded(self, record: Record, dead_letters: list[DeadLetter]) -> RecordedEvent | None:
        try:
            return decode_event(record)
        except Undecodable as error:
            dead_letters.append(DeadLetter(record, error.code, str(error), self._clock()))
            return None


async def concurrently(steps: Sequence[Awaitable[Counts]]) -> Counts:
    """Run the steps and return the sum of their counts. Raises the error of the first step that failed.

    Both happen once all steps have ended, so that none still runs when the caller tries the same again.
    """
    if len(steps) == 1:
        return await steps[0]  # a task would take two more turns of the loop
    results = await asyncio.gather(*steps, return_exceptions=True)
    total = Counts()
    for result in results:
        if isinstance(result, BaseException):
            raise result
        add_counts(total, result)
    return total


async def in_chunks(records: Sequence[Record], process: Callable[[Sequence[Record]], Awaitable[Counts]]) -> Counts:
    """Process a large batch in chunks, a few at a time: one is decoded and folded while another is stored.

    Returns and raises as `concurrently` does.
    """
    chunks = chunks_of(records)
    if len(chunks) == 1:
        return await process(records)
    slots = asyncio.Semaphore(MAX_CONCURRENT_CHUNKS)

    async def in_slot(chunk: Sequence[Record]) -> Counts:
        async with slots:
            return await process(chunk)

    return await concurrently([in_slot(chunk) for chunk in chunks])


def chunks_of(records: Sequence[Record]) -> list[Sequence[Record]]:
    """Return a batch in chunks of about CHUNK records, in their order; all records of a key are in one chunk."""
    count = len(records) // CHUNK
    if count < 2:
        return [records]
    chunks: list[list[Record]] = [[] for _ in range(count)]
    for record in records:
        chunks[hash(record.key) % count].append(record)
    return [chunk for chunk in chunks if chunk]


def decode_event(record: Record) -> RecordedEvent:
    """Return the event of a record. If its type is unknown, headers and key have to say all but the data.

    Raises Undecodable for a record without event id, type, sequence or note id, and for a known type whose data is
    not JSON or does not validate.
    """
    received = read(record.headers, record.value)
    event_id = parse_id(received.id)
    if event_id is None or received.type is None or received.sequence is None:
        raise Undecodable(_why_unnamed(record, received))
    version = _version(received.sequence)
    cause = (received.causationid, received.authid)
    validate = _VALIDATORS.get(received.type)
    if validate is None:
        note_id = parse_id((record.key or b"").decode(errors="replace"))
        if note_id is None:
            raise Undecodable("unknown type, and the key is not a note id")
        type_ = received.type[:_TYPE_MAX]
        return RecordedEvent(note_id, version, event_id, type_, None, None, record, *cause)
    data = data_of(received, EVENTS[received.type], validate)
    if data.version != version:
        raise Undecodable(f"ce_sequence is {version}, but the data's version is {data.version}")
    occurred_at = parse_time(data.occurred_at)
    return RecordedEvent(data.note_id, version, event_id, received.type, data, occurred_at, record, *cause)


def data_of(received: Received, model: type[BaseModel], validate: Callable[[bytes], Model]) -> Model:
    """Return the data of a record; `validate` is the validator of `model`. Raises Undecodable."""
    if received.data is None or len(received.data) > DATA_MAX:
        raise Undecodable("there is no data" if received.data is None else str(too_large()))
    try:
        return validate(received.data)
    except ValidationError as error:
        raise Undecodable(str(refusal(model, received.data, error))) from None


def why_missing(record: Record, attribute: str) -> str:
    """Return the reason why an attribute of a record was not found."""
    return why_unread(record.headers) or missing(attribute, record.headers, record.value)


def _why_unnamed(record: Record, received: Received) -> str:
    for name, value in (("id", received.id), ("type", received.type), ("sequence", received.sequence)):
        if value is None:
            return why_missing(record, name)
    return "ce_id is not a UUID with dashes"


def _version(sequence: str) -> int:
    if not (sequence.isascii() and sequence.isdigit() and len(sequence) <= _SEQUENCE_DIGITS):
        raise Undecodable("ce_sequence is not a version")
    version = int(sequence)
    if version < 1:
        raise Undecodable("ce_sequence is below 1")
    return version
