"""The dead letters that are kept: how they are looked for, and what may be done with them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, NamedTuple, Protocol

from notes_command.pipeline.envelope import Source
from notes_contracts import parse_id

_PARTITION_MAX: Final = 2**31 - 1
_OFFSET_MAX: Final = 2**63 - 1


class Position(NamedTuple):
    """Where the record was that a dead letter is, and which of several that were there: `record` is empty, or a digest.

    A topic that was made anew, and another cluster's, give their offsets anew.
    """

    topic: str
    partition: int
    offset: int
    record: str = ""


@dataclass(frozen=True, slots=True)
class StoredLetter:
    """A dead letter as the service keeps it. `type` is the command's, as far as it could be read."""

    source: Source
    command_id: str | None
    note_id: str | None
    type: str | None
    code: str
    reason: str
    at: datetime
    state: str
    record: str = ""

    @property
    def position(self) -> Position:
        """Return where the record was."""
        return Position(self.source.topic, self.source.partition, self.source.offset, self.record)

    @property
    def id(self) -> str:
        """Return what a person calls it: topic:partition:offset, and behind a # which of several."""
        return LetterFilter.text(self.position)


@dataclass(frozen=True, slots=True)
class LetterFilter:
    """Which dead letters are meant: all that is given must hold, None means any. `ids` names them one by one."""

    ids: tuple[Position, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    reason: str | None = None
    note: str | None = None
    type: str | None = None
    state: str | None = "open"

    @staticmethod
    def position(text: str) -> Position:
        """Return the parts of topic:partition:offset#record. Raises ValueError with a sentence."""
        place, _, record = text.partition("#")
        topic, partition, offset = (["", "", *place.rsplit(":", 2)])[-3:]
        numbers = (partition + offset).isascii() and partition.isdecimal() and offset.isdecimal()
        if not (topic and numbers and int(partition) <= _PARTITION_MAX and int(offset) <= _OFFSET_MAX):
            raise ValueError(f"{text!r} is no dead letter's id; it looks like notes.commands:3:17")
        return Position(topic, int(partition), int(offset), record)

    @staticmethod
    def text(position: Position) -> str:
        """Return what `position` was given."""
        place = ":".join(map(str, position[:3]))
        return f"{place}#{position.record}" if position.record else place


def note_filter(text: str) -> str:
    """Return a note id. Raises ValueError with a sentence."""
    found = parse_id(text)
    if found is None:
        raise ValueError(f"{text!r} is not a UUID")
    return found


@dataclass(frozen=True, slots=True)
class Held:
    """A dead letter that was not sent back, and why."""

    letter: StoredLetter
    reason: str


@dataclass(frozen=True, slots=True)
class SentBack:
    """What came of a redrive; the letters' values are left out."""

    sent: list[StoredLetter]
    held: list[Held]


class DeadLetters(Protocol):
    """The dead letters that are kept. Raises StoreError."""

    async def find(self, wanted: LetterFilter, limit: int) -> list[StoredLetter]:
        """Return the letters, the oldest first, without their values, which can be large."""

    async def whole(self, position: Position) -> StoredLetter | None:
        """Return one letter with its value."""

    async def redrive(self, wanted: LetterFilter, limit: int, *, force: bool) -> SentBack:
        """Send letters back, in one transaction with their state; a note's letters keep their order.

        Without `force` those of a note are held that has changed since, or has an older open letter left behind.
        """

    async def drop(self, wanted: LetterFilter, limit: int) -> list[StoredLetter]:
        """Mark letters as dealt with; they are kept until their time is over."""
