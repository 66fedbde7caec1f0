"""Keep the outcomes of a batch of records."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

from pydantic import TypeAdapter, ValidationError

from notes_contracts import OUTCOMES, Outcome, read
from notes_query.application.decode_event import explain
from notes_query.application.errors import Undecodable
from notes_query.application.fold_batch import Counts
from notes_query.application.ports import DeadLetter, DeadLetterStore, OutcomeStore
from notes_query.application.waiters import Waiters
from notes_query.projections.outcome import OutcomeDocument, document_of
from notes_query.projections.recorded_event import Record

_validate: Final = TypeAdapter(Outcome).validator.validate_json


class RecordOutcomes:
    """Decode, write once, wake who waits. Nothing is acknowledged here."""

    def __init__(
        self,
        outcomes: OutcomeStore,
        dead_letters: DeadLetterStore,
        waiters: Waiters,
        clock: Callable[[], datetime],
    ) -> None:
        self._outcomes = outcomes
        self._dead_letters = dead_letters
        self._waiters = waiters
        self._clock = clock

    async def __call__(self, records: Sequence[Record]) -> Counts:
        """Return what became of the records. Raises StoreUnavailable; the same batch again is harmless."""
        documents: dict[str, OutcomeDocument] = {}
        letters: list[DeadLetter] = []
        for record in records:
            try:
                document = decode_outcome(record)
                documents.setdefault(document["_id"], document)
            except Undecodable as error:
                letters.append(DeadLetter(record, error.code, str(error), self._clock()))
        if letters:
            await self._dead_letters.add(letters)
        if documents:
            await self._outcomes.add(list(documents.values()))
            for command_id in documents:
                self._waiters.wake(command_id)
        return Counts(applied=len(documents), dead_lettered=len(letters))


def decode_outcome(record: Record) -> OutcomeDocument:
    """Return the document of an outcome's record. Raises Undecodable for one that is none."""
    received = read(record.headers, record.value)
    if received.type not in OUTCOMES:
        raise Undecodable("ce_type is missing" if received.type is None else f"unknown type {received.type}")
    if received.data is None:
        raise Undecodable("there is no data")
    try:
        return document_of(_validate(received.data))
    except ValidationError as error:
        raise Undecodable(explain(error)) from error
    except ValueError as error:
        raise Undecodable(f"at: {error}") from error
