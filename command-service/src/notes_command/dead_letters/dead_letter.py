"""The dead letters that are kept: their order, and the record that each is sent back as."""

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
"""How far the clocks of two instances may differ. Further apart, times tell the order: a topic that was made anew gives
its offsets anew."""


@dataclass(frozen=True, slots=True)
class StoredDeadLetter:
    """A dead letter as the service keeps it. `type` is the command's, as far as it could be read.

    Where it was only found, `source` has no key, value and headers; `octets` are their bytes.
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
    octets: int = 0

    @property
    def position(self) -> Position:
        """Return where the record was."""
        return Position(self.source.topic, self.source.partition, self.source.offset, self.record)

    @property
    def id(self) -> str:
        """Return what a person calls it: topic:partition:offset, and behind a # which of several."""
        return str(self.position)

    @property
    def parts(self) -> Parts:
        """Return the record, where it was not only found."""
        return Parts(self.source.key, self.source.headers, self.source.value)

    def as_json(self) -> dict[str, Any]:
        """Return what is told of it without its record."""
        return {
            "id": self.id,
            "time": format_time(self.at),
            **{name: getattr(self, name) for name in ("state", "code", "type", "command_id", "note_id", "reason")},
        }


def note_filter(text: str) -> str:
    """Return a note id. Raises ValueError with a sentence."""
    found = parse_id(text)
    if found is None:
        raise ValueError(f"{text!r} is not a UUID")
    return found


class HeldBack(NamedTuple):
    """A dead letter that was not sent back, and why."""

    dead_letter: StoredDeadLetter
    reason: str


class SentBack(NamedTuple):
    """What came of a redrive; the dead letters' values are left out."""

    sent: list[StoredDeadLetter]
    held: list[HeldBack]


class Redriven(NamedTuple):
    """The record to send: its headers and value; the key is the original's."""

    command_id: str
    headers: tuple[tuple[str, bytes | None], ...]
    value: bytes | None


def next_id(dead_letter: StoredDeadLetter) -> str:
    """Return the command id under which a dead letter is sent back: always the same, and another than its own.

    So redriving twice has one effect, and redriving what failed again is another command.
    """
    if dead_letter.command_id is not None:
        return str(uuid5(UUID(dead_letter.command_id), "redrive"))
    return str(uuid5(POSITIONS, dead_letter.id))


def redrive(dead_letter: StoredDeadLetter) -> Redriven:
    """Return the record under its new id, with a header `redrive-of`: the old id, or the dead letter's without one.

    The id of a structured record is in its envelope. What CloudEvents asks for is added where the sender left it out.
    """
    source, new = dead_letter.source, next_id(dead_letter)
    headers = [pair for pair in source.headers if pair[0] not in ADDED | {"ce_id", REDRIVE_OF}]
    headers += [("ce_id", new.encode()), (REDRIVE_OF, (dead_letter.command_id or dead_letter.id).encode())]
    given = dict(headers)
    if is_structured(given):
        envelope = envelope_of(source.value)
        value = source.value if envelope is None else written_again({**_REQUIRED, **envelope, "id": new})
        return Redriven(new, tuple(headers), value)
    headers += [(f"ce_{name}", text.encode()) for name, text in _REQUIRED.items() if f"ce_{name}" not in given]
    return Redriven(new, tuple(headers), source.value)


def in_order(dead_letters: Iterable[StoredDeadLetter]) -> list[StoredDeadLetter]:
    """Sort each note's by offset, which is exact; by time where another topic begins, or the same one made anew."""
    found = sorted(dead_letters, key=attrgetter("at"))
    began = dict[Position, datetime]()
    highest = dict[tuple[object, ...], StoredDeadLetter]()
    for one in found:
        place = one.note_id, *one.position[:2]
        top = highest.get(place, one)
        anew = top is one or (one.source.offset <= top.source.offset and one.at - top.at > CLOCKS)
        began[one.position] = one.at if anew else began[top.position]
        if anew or one.source.offset > top.source.offset:
            highest[place] = one
    return sorted(found, key=lambda one: (began[one.position], one.position))


def full_type(text: str) -> str:
    """Return a command type; `update-note` is short for notes.command.update-note.v1."""
    return text if "." in text else f"{_PREFIX}{text}{_VERSION}"


def short_type(text: str) -> str:
    """Return what `full_type` would make whole; a type that is not of that form as it is."""
    middle = text.removeprefix(_PREFIX).removesuffix(_VERSION)
    return middle if "." not in middle and full_type(middle) == text else text
