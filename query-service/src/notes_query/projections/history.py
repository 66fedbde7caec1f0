"""The versions of a note, one document each. A snapshot is among them where the event of its version is missing."""

from datetime import datetime
from typing import Any, Final, NotRequired, TypedDict

from notes_contracts import cut_to_milliseconds, parse_id, parse_time
from notes_query.projections.read_model import ASCENDING, Index, ReadModel, RecordedEvent, entry_id


class HistoryDocument(TypedDict):
    """One version. `type`: the `ce_type`. `command_id`: the cause, null if the event does not name it.

    `event_id`: the event's, None if a snapshot stands for it.
    `occurred_at` is null if the type is not known here and the record has no readable time.
    """

    _id: str
    note_id: str
    version: int
    event_id: str | None
    type: str
    occurred_at: datetime | None
    command_id: str | None
    actor: NotRequired[str]
    """Who asked; not there if the event does not tell, so that entries of earlier releases are the same."""


def entry(event: RecordedEvent) -> dict[str, Any]:
    """Return the document of an event."""
    found = HistoryDocument(
        _id=entry_id(event),
        note_id=event.note_id,
        version=event.version,
        event_id=None if event.stands_in else event.id,
        type=event.type,
        occurred_at=event.occurred_at or _time_of(dict(event.record.headers).get("ce_time")),
        command_id=parse_id(event.causation),
    )
    if event.actor is not None:
        found["actor"] = event.actor
    return dict(found)


def _time_of(header: bytes | None) -> datetime | None:
    try:
        return cut_to_milliseconds(parse_time((header or b"").decode()))
    except ValueError:
        return None


READ_MODEL: Final = ReadModel(
    name="history",
    version=1,
    projector="background",
    indexes=(Index("by_version", (("note_id", ASCENDING), ("version", ASCENDING))),),
    entry=entry,
)
