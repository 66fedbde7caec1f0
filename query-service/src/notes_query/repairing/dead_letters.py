"""The dead letters that are kept: how they are looked for, and what may be done with them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple

from notes_contracts import parse_id, read
from notes_contracts.validation import note_id_in
from notes_query.projections.recorded_event import Record

STATES: Final = ("open", "redriven", "dropped")
TYPE_MAX: Final = 200
"""Characters of a type that are kept; what it says comes from outside."""
_PARTITION_MAX: Final = 2**31 - 1
_OFFSET_MAX: Final = 2**63 - 1


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


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which letters are meant: all that is given must hold, None means any. `ids` names them one by one."""

    ids: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    note: str | None = None
    type: str | None = None
    state: str | None = "open"


def checked_id(text: str) -> str:
    """Return the id of a dead letter, topic:partition:offset. Raises ValueError with a sentence."""
    place, sign, mark = text.partition("#")
    topic, partition, offset = (["", "", *place.rsplit(":", 2)])[-3:]
    numbers = (partition + offset).isascii() and partition.isdecimal() and offset.isdecimal()
    if not (topic and numbers and int(partition) <= _PARTITION_MAX and int(offset) <= _OFFSET_MAX):
        raise ValueError(f"{text!r} is no dead letter's id; it looks like notes.events:3:17")
    return f"{topic}:{int(partition)}:{int(offset)}{sign}{mark}"


def facts_of(record: Record) -> Facts:
    """Return what a record says; it may say nothing, and never makes this raise."""
    received = read(record.headers, record.value)
    return Facts(
        received.type[:TYPE_MAX] if received.type else None,
        note_id_in(received.data) or parse_id((record.key or b"").decode(errors="replace")),
    )
