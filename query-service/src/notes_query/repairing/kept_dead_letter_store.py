"""Dead letters as a person looks for them."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from notes_query.mongo.database import DEAD_LETTERS, Database
from notes_query.mongo.failures import driver_errors
from notes_query.repairing.dead_letter_store import record_of
from notes_query.repairing.dead_letters import STATES, KeptLetter, LetterFilter

_WITHOUT_RECORD: Final = {"value": 0, "headers": 0, "key": 0}
_OLDEST_FIRST: Final = (("time", 1), ("topic", 1), ("partition", 1), ("offset", 1))


class MongoDeadLetters:
    """DeadLetters."""

    def __init__(self, database: Database) -> None:
        self._letters = database[DEAD_LETTERS]

    async def find(self, wanted: LetterFilter, limit: int) -> list[KeptLetter]:
        """See DeadLetters."""
        with driver_errors():
            found = await self._letters.find(
                _query(wanted), _WITHOUT_RECORD, sort=list(_OLDEST_FIRST), limit=limit, allow_disk_use=True
            ).to_list(None)
        return [_letter(item) for item in found]

    async def whole(self, id_: str) -> KeptLetter | None:
        """See DeadLetters."""
        with driver_errors():
            found = await self._letters.find_one({"_id": id_})
        return None if found is None else _letter(found)

    async def close(self, ids: Sequence[str], state: str, now: datetime) -> None:
        """See DeadLetters."""
        change = {"$set": {"state": state, "changed_at": now}}
        if state == "redriven":
            change["$inc"] = {"tries": 1}
        with driver_errors():
            await self._letters.update_many({"_id": {"$in": list(ids)}, "state": {"$ne": state}}, change)

    async def failed_again(self, id_: str, code: str, reason: str, now: datetime) -> None:
        """See DeadLetters."""
        changes = {"state": "open", "code": code, "reason": reason, "changed_at": now}
        with driver_errors():
            await self._letters.update_one({"_id": id_}, {"$set": changes, "$inc": {"tries": 1}})

    async def by_state(self) -> dict[str, int]:
        """See DeadLetters."""
        # One count for each, which the index answers: to group would read the letters, which can be large.
        with driver_errors():
            counted = {state: await self._letters.count_documents({"state": state}) for state in STATES}
        return {state: count for state, count in counted.items() if count}


def _query(wanted: LetterFilter) -> dict[str, Any]:
    query: dict[str, Any] = {
        name: value
        for name, value in (
            ("state", wanted.state),
            ("code", wanted.reason),
            ("note_id", wanted.note),
            ("type", wanted.type),
        )
        if value is not None
    }
    if wanted.ids is not None:
        query["_id"] = {"$in": list(wanted.ids)}
    times = {name: moment for name, moment in (("$gte", wanted.since), ("$lt", wanted.until)) if moment is not None}
    return query | ({"time": times} if times else {})


def _letter(found: Mapping[str, Any]) -> KeptLetter:
    # What an earlier version of this service has kept has no facts.
    return KeptLetter(
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
