"""Forks as they are kept beside a read model's documents."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Final

from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.pending import Fork, ForkKey
from notes_query.projections.recorded_event import RecordedEvent

DROPPED: Final = "dropped_forks"
OF_FORKS: Final[dict[str, Any]] = {"kind": {"$in": ["fork", "dropped"]}}
"""What is kept of forks: `dropped` ones are shown and counted no longer, and stop a note like others."""


def fork_id(note_id: str, version: int, event_id: str) -> str:
    """Return the id of a fork, and of the decision to drop it."""
    return f"{note_id}:{version}:{event_id}"


def beside_note(event: RecordedEvent, kind: str) -> dict[str, Any]:
    """Return what is kept of an event beside its note's document, whatever the `kind`: gap or fork."""
    return {
        "kind": kind,
        "note_id": event.note_id,
        "version": event.version,
        "event_id": event.id,
        "type": event.type,
        "parked_at": datetime.now(UTC),
    }


def fork_document(fork: Fork) -> dict[str, Any]:
    """Return the document of a fork. It says where the event was read, and nothing of what it says."""
    event, record = fork.event, fork.event.record
    return {
        "_id": fork_id(event.note_id, event.version, event.id),
        **beside_note(event, "fork"),
        "at": fork.at,
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
    }


async def all_disregarded(database: Database) -> set[ForkKey]:
    """Return all forks that count for nothing. Raises StoreUnavailable."""
    with driver_errors():
        found = await database[DROPPED].find({"disregard": True}, {"_id": 1}).to_list(None)
    parts = (item["_id"].split(":") for item in found)
    return {(note_id, int(version), event_id) for note_id, version, event_id in parts}


def places(forks: Iterable[dict[str, Any]]) -> dict[tuple[int, str], int]:
    """Return at which version of the document forks were found, by their version and event id."""
    # An earlier release kept no place: it looked for forks of the document's own version alone.
    return {(one["version"], one["event_id"]): one["version"] if one.get("at") is None else one["at"] for one in forks}
