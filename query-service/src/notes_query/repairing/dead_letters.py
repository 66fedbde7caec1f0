"""The dead letters that are kept, and what their records say."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from notes_contracts import parse_id, read
from notes_contracts.validation import note_id_in
from notes_query.projections.recorded_event import Record

TYPE_MAX: Final = 200
"""Characters of a type that are kept; what it says comes from outside."""


class Facts(NamedTuple):
    """What a record says about itself, as far as it can be read: its type, and whose it is."""

    type: str | None
    note_id: str | None


@dataclass(frozen=True, slots=True)
class KeptLetter:
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


def facts_of(record: Record) -> Facts:
    """Return what a record says; it may say nothing, and never makes this raise."""
    received = read(record.headers, record.value)
    return Facts(
        received.type[:TYPE_MAX] if received.type else None,
        note_id_in(received.data) or parse_id((record.key or b"").decode(errors="replace")),
    )
