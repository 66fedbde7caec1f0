"""Dead letters, as every service has them: where one was, which are meant, what may be done with them."""

import base64
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

STATES: Final = ("open", "redriven", "dropped")
CODES: Final = ("undecodable", "internal")
ID_MAX: Final = 400
"""Characters of an id; the name of a topic has at most 249."""
_PARTITION_MAX: Final = 2**31 - 1
_OFFSET_MAX: Final = 2**63 - 1
ADDED: Final = frozenset(f"dead-letter-{name}" for name in ("code", "reason", "topic", "partition", "offset", "time"))
"""Headers that a dead letter is given."""
Header = tuple[str, bytes | None]


class Position(NamedTuple):
    """Where the record was that a dead letter is, and which of several that were there: `record` is empty, or a digest.

    A topic that was made anew, and another cluster's, give their offsets anew. As a text it is what a person calls the
    dead letter: topic:partition:offset, and behind a # which of several.
    """

    topic: str
    partition: int
    offset: int
    record: str = ""

    def __str__(self) -> str:
        place = ":".join(map(str, self[:3]))
        return f"{place}#{self.record}" if self.record else place

    @classmethod
    def parse(cls, text: str) -> "Position":
        """Return the parts of topic:partition:offset#record. Raises ValueError with a sentence."""
        place, _, record = text.partition("#")
        topic, partition, offset = (["", "", *place.rsplit(":", 2)])[-3:]
        numbers = (partition + offset).isascii() and partition.isdecimal() and offset.isdecimal()
        # No store takes a NUL, and nobody is told a number of thousands of digits.
        told = topic and len(text) <= ID_MAX and text.isprintable()
        if not (told and numbers and int(partition) <= _PARTITION_MAX and int(offset) <= _OFFSET_MAX):
            raise ValueError(f"{text[:ID_MAX]!r} is not the id of a dead letter; it looks like topic:3:17")
        return cls(topic, int(partition), int(offset), record)


class After(NamedTuple):
    """Where a page of dead letters ended. They are listed by time, those of one time by position."""

    at: datetime
    position: Position


@dataclass(frozen=True, slots=True)
class DeadLetterFilter:
    """Which dead letters are meant: all that is given must hold, None means any. `ids` names them one by one.

    `subject`: what the record is about, in the service's own words, such as one note. `after`: those behind it.
    """

    ids: tuple[Position, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    subject: str | None = None
    type: str | None = None
    state: str | None = "open"
    after: After | None = None


class Parts(NamedTuple):
    """A record's parts."""

    key: bytes | None
    headers: Sequence[Header]
    value: bytes | None


def headers_of(headers: Iterable[Header], place: Position, code: str, reason: str, time: str) -> list[Header]:
    """Return a record's own headers and those of a dead letter, which replace the ones of an earlier one."""
    topic, partition, offset, _ = place
    added = {"code": code, "reason": reason, "topic": topic, "partition": partition, "offset": offset, "time": time}
    kept = [pair for pair in headers if pair[0] not in ADDED]
    return kept + [(f"dead-letter-{name}", str(value).encode()) for name, value in added.items()]


def as_base64(value: bytes | None, most: int | None = None) -> str | None:
    """Return bytes as text, `most` of them."""
    return None if value is None else base64.b64encode(value[:most]).decode()


class Kept(Protocol):
    """What every dead letter has, whatever a service keeps of it beside that."""

    @property
    def id(self) -> str:
        """Return its position as a text."""

    @property
    def at(self) -> datetime:
        """Return when it became one."""

    @property
    def parts(self) -> Parts:
        """Return the record of one that is whole."""

    def as_json(self) -> dict[str, Any]:
        """Return what is told of it: id, time, state, code, type, the id of the subject, reason, and more."""


K = TypeVar("K", bound=Kept)


@dataclass(frozen=True, slots=True)
class DeadLetters(Generic[K]):
    """A service's dead letters: found without their records, shown whole with them (None: not there), dropped.

    `drop` returns the ids.
    """

    find: Callable[[DeadLetterFilter, int], Awaitable[Sequence[K]]]
    whole: Callable[[Position], Awaitable[K | None]]
    drop: Callable[[DeadLetterFilter, int], Awaitable[list[str]]]
