"""The dead letters that are kept: their order, and the record under which each is sent back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import attrgetter
from typing import Any, Final, NamedTuple
from uuid import UUID, uuid5

from notes_chassis.dead_letters import ADDED, Parts, Position
from notes_command.outbox.row import SOURCE
from notes_command.pipeline.decode import Source
from notes_contracts import format_time, parse_id
from notes_contracts.cloudevents import envelope_of, is_structured
from notes_contracts.written_again import written_again

_PREFIX: Final = "notes.command."
_VERSION: Final = ".v1"
REDRIVE_OF: Final = "redrive-of"
_REQUIRED: Final = {"specversion": "1.0", "source": SOURCE}
POSITIONS: Final = UUID("3d1f6a52-7f0b-5a83-8a35-3f2f0f5b8c1e")
"""Namespace of the ids of records that never had one."""
CLOCKS: Final = timedelta(minutes=1)
"""How far the clocks of two instances may differ. Dead letters that are further apart are ordered by time, because a
recreated topic gives its offsets again."""


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A dead letter as the service keeps it. `type`: the command's, if it could be read.

    A dead letter of a list has no key, value and headers in `source`. `size`: the bytes of all three.
    """

    source: Source
    command_id: str | None
    note_id: str | None
    type: str | None
    code: str
    reason: str
    at: datetime
    state: str
    record: str = ""
    size: int = 0

    @property
    def position(self) -> Position:
        """Return the position of the record, and which of several records at that position it is."""
        return Position(self.source.topic, self.source.partition, self.source.offset, self.record)

    @property
    def id(self) -> str:
        """Return the id for people: topic:partition:offset, and behind a # which of several records there."""
        return str(self.position)

    @property
    def parts(self) -> Parts:
        """Return key, headers and value of the record. A dead letter of a list has none."""
        return Parts(self.source.key, self.source.headers, self.source.value)

    def as_json(self) -> dict[str, Any]:
        """Return the dead letter without its record."""
        return {
            "id": self.id,
            "time": format_time(self.at),
            **{name: getattr(self, name) for name in ("state", "code", "type", "command_id", "note_id", "reason")},
        }


def note_filter(text: str) -> str:
    """Return the note id in a text. Raises ValueError with a sentence."""
    found = parse_id(text)
    if found is None:
        raise ValueError(f"{text!r} is not a UUID")
    return found


class HeldBack(NamedTuple):
    """A dead letter that was not sent back, and why."""

    dead_letter: StoredDeadLetter
    reason: str


class SentBack(NamedTuple):
    """The result of a redrive. The dead letters have no contents."""

    sent: list[StoredDeadLetter]
    held: list[HeldBack]


class Redriven(NamedTuple):
    """The record to send: its headers and value. Its key is that of the dead letter."""

    command_id: str
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None


def next_id(dead_letter: StoredDeadLetter) -> str:
    """Return the command id under which a dead letter is sent back. It follows from the dead letter's own id.

    So two redrives have one effect, and the redrive of a command that failed again is another command.
    """
    if dead_letter.command_id is not None:
        return str(uuid5(UUID(dead_letter.command_id), "redrive"))
    return str(uuid5(POSITIONS, dead_letter.id))


def redrive(dead_letter: StoredDeadLetter) -> Redriven:
    """Return the record under its new command id, with a header `redrive-of`.

    The header has the old command id, or the id of the dead letter if there is none. A structured record has its id in
    the envelope. Attributes that CloudEvents requires and that the sender left out are added.
    """
    source = dead_letter.source
    new = next_id(dead_letter)
    headers = [(name, value) for name, value in source.headers if name not in ADDED | {"ce_id", REDRIVE_OF}]
    headers += [("ce_id", new.encode()), (REDRIVE_OF, (dead_letter.command_id or dead_letter.id).encode())]
    given = dict(headers)
    if is_structured(given):
        envelope = envelope_of(source.value)
        value = source.value if envelope is None else written_again({**_REQUIRED, **envelope, "id": new})
        return Redriven(new, tuple(headers), value)
    headers += [(f"ce_{name}", text.encode()) for name, text in _REQUIRED.items() if f"ce_{name}" not in given]
    return Redriven(new, tuple(headers), source.value)


def in_order(dead_letters: Iterable[StoredDeadLetter]) -> list[StoredDeadLetter]:
    """Return the dead letters in the order in which their commands were sent, for each note.

    Offsets are exact within a topic. Times order what is in different topics, and what was before and after a topic was
    recreated: each stretch of rising offsets is sorted by the time at which it began.
    """
    by_time = sorted(dead_letters, key=attrgetter("at"))
    began = dict[Position, datetime]()
    highest = dict[tuple[str | None, str, int], StoredDeadLetter]()
    for dead_letter in by_time:
        source = dead_letter.source
        partition_of_note = dead_letter.note_id, source.topic, source.partition
        top = highest.get(partition_of_note)
        if top is None or (source.offset <= top.source.offset and dead_letter.at - top.at > CLOCKS):
            began[dead_letter.position] = dead_letter.at
            highest[partition_of_note] = dead_letter
            continue
        began[dead_letter.position] = began[top.position]
        if source.offset > top.source.offset:
            highest[partition_of_note] = dead_letter
    return sorted(by_time, key=lambda dead_letter: (began[dead_letter.position], dead_letter.position))


def full_type(text: str) -> str:
    """Return the whole command type: notes.command.update-note.v1 for `update-note`."""
    return text if "." in text else f"{_PREFIX}{text}{_VERSION}"


def short_type(text: str) -> str:
    """Return the short form that `full_type` makes whole, or the type itself if it has none."""
    middle = text.removeprefix(_PREFIX).removesuffix(_VERSION)
    return middle if "." not in middle and full_type(middle) == text else text
