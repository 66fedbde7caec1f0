"""What finds dead letters in their order, and the indexes that let a page read no more than it shows."""

from collections.abc import Mapping
from itertools import product
from typing import Any, Final

from notes_chassis.dead_letters import STATES, After, DeadLetterFilter
from notes_query.projections.read_model import ASCENDING, Index

_IN_ORDER: Final = ("time", "topic", "partition", "offset", "_id")
_WITHOUT_RECORD: Final = {"value": 0, "headers": 0, "key": 0}


def _index(name: str, *fields: str) -> Index:
    return Index(name, tuple((field, ASCENDING) for field in fields))


# The whole order: what is sorted has to be read first, and a value may have a megabyte. Reason and type stand behind
# it, so that others are passed over without being read.
ORDERED: Final = (
    _index("in_order", "state", *_IN_ORDER, "code", "type"),
    _index("of_note_in_order", "note_id", "state", *_IN_ORDER, "code", "type"),
)
REPLACED: Final = ("oldest_first", "by_note")
"""What the release before has. Both begin as one of these does, so that it does without them, too."""


def page_of(dead_letters: Any, wanted: DeadLetterFilter, limit: int) -> Any:
    """Return a cursor on dead letters without their records, the oldest first, those of one time by their offsets."""
    order = [(name, ASCENDING) for name in _IN_ORDER]
    return dead_letters.find(_query(wanted), _WITHOUT_RECORD, sort=order, limit=limit, allow_disk_use=True)


def _query(wanted: DeadLetterFilter) -> dict[str, Any]:
    query: dict[str, Any] = {
        name: value
        for name, value in (
            # All of them by name: the index begins with the state, and is read once for each, in order.
            ("state", wanted.state or {"$in": list(STATES)}),
            ("code", wanted.reason),
            ("note_id", wanted.subject),
            ("type", wanted.type),
        )
        if value is not None
    }
    if wanted.ids is not None:
        query["_id"] = {"$in": list(map(str, wanted.ids))}
    times = {name: moment for name, moment in (("$gte", wanted.since), ("$lt", wanted.until)) if moment is not None}
    if wanted.after is not None:
        # Each way to be behind as a query of its own, which the index bounds exactly: what has the time at which the
        # page before ended would be read to be passed over. And of each state, else all of it is read to be sorted.
        states = STATES if wanted.state is None else (wanted.state,)
        behind = _behind(wanted.after, times)
        return {"$or": [query | later | {"state": state} for state, later in product(states, behind)]}
    return query | ({"time": times} if times else {})


def _behind(after: After, times: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what holds of dead letters that are listed later, each of some of them."""
    fields = {name: getattr(after.position, name) for name in ("topic", "partition", "offset")}
    place = {"time": after.at, **fields, "_id": str(after.position)}
    later = []
    for number, name in enumerate(_IN_ORDER):
        same: dict[str, Any] = {before: {"$eq": place[before]} for before in _IN_ORDER[:number]}
        one = same | {name: {"$gt": place[name]}}
        later.append(one | {"time": {**times, **one["time"]}})
    return later
