"""Dead letters: stored first, sent from here, kept for thirty days after that."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zlib import compress, decompress

from pymongo import InsertOne

from notes_contracts import Code
from notes_query.mongo.bulk import bulk_write, insert_missing
from notes_query.mongo.database import DEAD_LETTERS, Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.ports import DeadLetter
from notes_query.projecting.stored_record import StoredRecord, record_fields, stored_record
from notes_query.projections.shape import ASCENDING, Index, Kept
from notes_query.repairing.dead_letters import facts_of

COMPRESSED_FROM: Final = 1024 * 1024
CLAIM: Final = timedelta(minutes=1)
KEPT_S: Final = 30 * 24 * 60 * 60
KEPT: Final = (
    Kept(
        DEAD_LETTERS,
        (
            Index("unsent", (("sent_at", ASCENDING), ("claimed_until", ASCENDING))),
            Index(
                "oldest_first",
                (("state", ASCENDING), ("time", ASCENDING), ("topic", ASCENDING), ("partition", ASCENDING)),
            ),
            Index("by_note", (("note_id", ASCENDING), ("state", ASCENDING))),
            # What is not sent has no date there, and stays.
            Index("expiry", (("sent_at", ASCENDING),), expire_after_s=KEPT_S),
        ),
    ),
)


class MongoDeadLetterStore:
    """The dead letters' store. `state` is `open` until a person sends the record back or drops it."""

    def __init__(self, database: Database) -> None:
        self._letters = database[DEAD_LETTERS]

    async def add(self, letters: Sequence[DeadLetter]) -> None:
        """See DeadLetterStore. One that was redriven and fails again, in a rebuild, is open again."""
        taken = await bulk_write(self._letters, [InsertOne(_document_of(letter)) for letter in letters])
        known = list(letters)
        for number in taken:
            known[number] = await self._known(letters[number])
        wanted = {"_id": {"$in": [letter.id for letter in known]}, "state": "redriven"}
        with driver_errors():
            await self._letters.update_many(wanted, {"$set": {"state": "open", "changed_at": letters[0].at}})

    async def _known(self, letter: DeadLetter) -> DeadLetter:
        """Return a letter whose place is taken: the one that is kept, or another one, which is kept from now on."""
        with driver_errors():
            found = await self._letters.find_one({"_id": letter.id})
        if found is not None and letter.is_of(record_of(found)):
            return letter
        other = letter.marked()
        await insert_missing(self._letters, [_document_of(other)])
        return other

    async def claim(self, now: datetime) -> DeadLetter | None:
        """See DeadLetterStore."""
        with driver_errors():
            found = await self._letters.find_one_and_update(
                {"sent_at": None, "claimed_until": {"$lte": now}},
                {"$set": {"claimed_until": now + CLAIM}},
            )
        if found is None:
            return None
        mark = found["_id"].partition("#")[2]
        return DeadLetter(record_of(found), Code(found["code"]), found["reason"], found["time"], mark)

    async def sent(self, letter: DeadLetter, now: datetime) -> None:
        """See DeadLetterStore."""
        with driver_errors():
            await self._letters.update_one({"_id": letter.id, "sent_at": None}, {"$set": {"sent_at": now}})

    async def put_off(self, letter: DeadLetter, until: datetime) -> None:
        """Leave it to others."""
        with driver_errors():
            await self._letters.update_one({"_id": letter.id, "sent_at": None}, {"$set": {"claimed_until": until}})


def record_of(document: Mapping[str, Any]) -> StoredRecord:
    """Return the record of a stored letter."""
    record = stored_record(document)
    return record._replace(value=decompress(document["value"])) if document["compressed"] else record


def _document_of(letter: DeadLetter) -> dict[str, Any]:
    fields = record_fields(letter.record)
    # Kafka limits what it stores, which may have been compressed; MongoDB limits a document, at 16 MiB.
    compressed = len(letter.record.value or b"") > COMPRESSED_FROM
    if compressed:
        fields["value"] = compress(fields["value"])
    return {
        "_id": letter.id,
        "code": letter.code.value,
        "reason": letter.reason,
        "time": letter.at,
        "state": "open",
        "tries": 0,
        "changed_at": None,
        "sent_at": None,
        "claimed_until": letter.at,
        "compressed": compressed,
        **facts_of(letter.record)._asdict(),
        **fields,
    }
