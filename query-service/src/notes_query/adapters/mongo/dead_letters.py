"""Dead letters: stored first, sent from here, kept for thirty days after that."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from zlib import compress, decompress

from notes_contracts import Code
from notes_query.adapters.mongo.bulk import insert_missing
from notes_query.adapters.mongo.database import DEAD_LETTERS, Database, away_is_unavailable
from notes_query.adapters.mongo.records import record_fields, stored_record
from notes_query.application.ports import DeadLetter

COMPRESSED_FROM: Final = 1024 * 1024
CLAIM: Final = timedelta(minutes=1)


class MongoDeadLetterStore:
    """The dead letters' store. `state` is `open` until a person sends the record back or drops it."""

    def __init__(self, database: Database) -> None:
        self._letters = database[DEAD_LETTERS]

    async def add(self, letters: Sequence[DeadLetter]) -> None:
        """See DeadLetterStore."""
        await insert_missing(self._letters, [_document_of(letter) for letter in letters])

    async def claim(self, now: datetime) -> DeadLetter | None:
        """See DeadLetterStore."""
        with away_is_unavailable():
            found = await self._letters.find_one_and_update(
                {"sent_at": None, "claimed_until": {"$lte": now}},
                {"$set": {"claimed_until": now + CLAIM}},
            )
        if found is None:
            return None
        if found["compressed"]:
            found["value"] = decompress(found["value"])
        return DeadLetter(stored_record(found), Code(found["code"]), found["reason"], found["time"])

    async def sent(self, letter: DeadLetter, now: datetime) -> None:
        """See DeadLetterStore."""
        with away_is_unavailable():
            await self._letters.update_one({"_id": letter.id, "sent_at": None}, {"$set": {"sent_at": now}})


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
        "sent_at": None,
        "claimed_until": letter.at,
        "compressed": compressed,
        **fields,
    }
