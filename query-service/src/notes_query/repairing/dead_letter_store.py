"""Dead letters: stored first, sent from here, kept for thirty days after that, and looked at by people."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from zlib import compress, decompress

from pymongo import InsertOne

from notes_chassis.dead_letters import STATES, DeadLetterFilter, Parts, Position
from notes_contracts import format_time, parse_id, read
from notes_contracts.validation import note_id_in
from notes_query.mongo.database import DEAD_LETTERS, Database
from notes_query.mongo.driver import bulk_write, driver_errors, insert_missing
from notes_query.projecting.stored_record import DeadLetter, StoredRecord, record_fields, stored_record
from notes_query.projections.read_model import ASCENDING, Index, Kept, Record
from notes_query.repairing.dead_letter_query import ORDERED, REPLACED, page_of

TYPE_MAX: Final = 200
"""Characters of a type that are kept; what it says comes from outside."""
COMPRESSED_FROM: Final = 1024 * 1024
CLAIM: Final = timedelta(minutes=1)
KEPT_S: Final = 30 * 24 * 60 * 60
KEPT: Final = (
    Kept(
        DEAD_LETTERS,
        (
            Index("unsent", (("sent_at", ASCENDING), ("claimed_until", ASCENDING))),
            *ORDERED,
            # What is not sent has no date there, and stays.
            Index("expiry", (("sent_at", ASCENDING),), expire_after_s=KEPT_S),
        ),
        REPLACED,
    ),
)


@dataclass(frozen=True, slots=True)
class KeptDeadLetter:
    """A dead letter as it is kept. `tries`: how often redriven. `changed_at`: when its state or reason changed."""

    id: str
    code: str
    reason: str
    at: datetime
    state: str
    type: str | None
    note_id: str | None
    tries: int
    changed_at: datetime | None
    record: Record | None

    @property
    def parts(self) -> Parts:
        """Return the record of one that is whole."""
        assert self.record is not None, "one that is whole has it"
        return Parts(self.record.key, self.record.headers, self.record.value)

    def as_json(self) -> dict[str, Any]:
        """Return what is told of it without its record."""
        return {
            "id": self.id,
            "time": format_time(self.at),
            **{name: getattr(self, name) for name in ("state", "code", "type", "note_id", "reason", "tries")},
            "changed_at": None if self.changed_at is None else format_time(self.changed_at),
        }


class DeadLetters:
    """Dead letters. `state` is `open` until a person sends the record back or drops it. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._dead_letters = database[DEAD_LETTERS]

    async def add(self, dead_letters: Sequence[DeadLetter]) -> None:
        """Keep these. One that was redriven and fails again, in a rebuild, is open again."""
        done = await bulk_write(
            self._dead_letters, [InsertOne(_document_of(dead_letter)) for dead_letter in dead_letters]
        )
        known = list(dead_letters)
        for number in done.taken:
            known[number] = await self._known(dead_letters[number])
        wanted = {"_id": {"$in": [dead_letter.id for dead_letter in known]}, "state": "redriven"}
        with driver_errors():
            await self._dead_letters.update_many(wanted, {"$set": {"state": "open", "changed_at": dead_letters[0].at}})

    async def _known(self, dead_letter: DeadLetter) -> DeadLetter:
        """Return the dead letter of a place that is taken: the one that is kept, or another one, kept from now on."""
        with driver_errors():
            found = await self._dead_letters.find_one({"_id": dead_letter.id})
        if found is not None and dead_letter.is_of(record_of(found)):
            return dead_letter
        other = dead_letter.marked()
        await insert_missing(self._dead_letters, [_document_of(other)])
        return other

    async def claim(self, now: datetime) -> DeadLetter | None:
        """Return one that is not sent, and leave it to the caller for a minute."""
        with driver_errors():
            found = await self._dead_letters.find_one_and_update(
                {"sent_at": None, "claimed_until": {"$lte": now}},
                {"$set": {"claimed_until": now + CLAIM}},
            )
        if found is None:
            return None
        mark = found["_id"].partition("#")[2]
        return DeadLetter(record_of(found), found["code"], found["reason"], found["time"], mark)

    async def waiting(self, now: datetime) -> bool:
        """Return whether any is not sent, claimed by others or not; those that were put off for longer do not count."""
        with driver_errors():
            found = await self._dead_letters.find_one(
                {"sent_at": None, "claimed_until": {"$lte": now + CLAIM}}, projection=["_id"]
            )
        return found is not None

    async def sent(self, dead_letter: DeadLetter, now: datetime) -> None:
        """Note that it was sent."""
        with driver_errors():
            await self._dead_letters.update_one({"_id": dead_letter.id, "sent_at": None}, {"$set": {"sent_at": now}})

    async def put_off(self, dead_letter: DeadLetter, until: datetime) -> None:
        """Leave it to others."""
        with driver_errors():
            await self._dead_letters.update_one(
                {"_id": dead_letter.id, "sent_at": None}, {"$set": {"claimed_until": until}}
            )

    async def find(self, wanted: DeadLetterFilter, limit: int) -> list[KeptDeadLetter]:
        """Return dead letters without their records, the oldest first, those of one time by their offsets."""
        with driver_errors():
            found = await page_of(self._dead_letters, wanted, limit).to_list(None)
        return [_dead_letter(item) for item in found]

    async def whole(self, position: Position | str) -> KeptDeadLetter | None:
        """Return one with its record."""
        with driver_errors():
            found = await self._dead_letters.find_one({"_id": str(position)})
        return None if found is None else _dead_letter(found)

    async def close(self, ids: Sequence[str], state: str, now: datetime) -> None:
        """Note that these are dealt with, and how."""
        change = {"$set": {"state": state, "changed_at": now}}
        if state == "redriven":
            change["$inc"] = {"tries": 1}
        with driver_errors():
            await self._dead_letters.update_many({"_id": {"$in": list(ids)}, "state": {"$ne": state}}, change)

    async def failed_again(self, id_: str, code: str, reason: str, now: datetime) -> None:
        """Note why one could not be processed this time; it is open."""
        changes = {"state": "open", "code": code, "reason": reason, "changed_at": now}
        with driver_errors():
            await self._dead_letters.update_one({"_id": id_}, {"$set": changes, "$inc": {"tries": 1}})

    async def by_state(self) -> dict[str, int]:
        """Return how many are kept, by state."""
        # The states by name: so the index answers, and the dead letters, which can be large, are not read.
        states = [{"$match": {"state": {"$in": list(STATES)}}}, {"$group": {"_id": "$state", "number": {"$sum": 1}}}]
        with driver_errors():
            return {item["_id"]: item["number"] async for item in self._dead_letters.aggregate(states)}


def record_of(document: Mapping[str, Any]) -> StoredRecord:
    """Return the record of a stored dead letter."""
    record = stored_record(document)
    return record._replace(value=decompress(document["value"])) if document["compressed"] else record


def _document_of(dead_letter: DeadLetter) -> dict[str, Any]:
    fields = record_fields(dead_letter.record)
    # Kafka limits what it stores, which may have been compressed; MongoDB limits a document, at 16 MiB.
    compressed = len(dead_letter.record.value or b"") > COMPRESSED_FROM
    type_, note_id = facts_of(dead_letter.record)
    if compressed:
        fields["value"] = compress(fields["value"])
    return {
        "_id": dead_letter.id,
        "code": str(dead_letter.code),
        "reason": dead_letter.reason,
        "time": dead_letter.at,
        "state": "open",
        "tries": 0,
        "changed_at": None,
        "sent_at": None,
        "claimed_until": dead_letter.at,
        "compressed": compressed,
        "type": type_,
        "note_id": note_id,
        **fields,
    }


def _dead_letter(found: Mapping[str, Any]) -> KeptDeadLetter:
    # What an earlier version of this service has kept has no facts.
    return KeptDeadLetter(
        id=found["_id"],
        code=found["code"],
        reason=found["reason"],
        at=found["time"],
        state=found["state"],
        type=found.get("type"),
        note_id=found.get("note_id"),
        tries=found.get("tries", 0),
        changed_at=found.get("changed_at"),
        record=record_of(found) if "headers" in found else None,
    )


def facts_of(record: Record) -> tuple[str | None, str | None]:
    """Return what a record says of itself: its type, and whose it is. It may say nothing; never raises."""
    received = read(record.headers, record.value)
    type_ = received.type[:TYPE_MAX] if received.type else None
    return type_, note_id_in(received.data) or parse_id((record.key or b"").decode(errors="replace"))
