"""What the use cases need of a store. The Mongo adapter and the in-memory twin give it.

Every method raises StoreUnavailable while the store is away.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any, Final, NamedTuple, Protocol

from notes_contracts import Code
from notes_query.projecting.fold_batch import Writes
from notes_query.projecting.pending import EntriesKnown, Fork, ForkKey, Pending
from notes_query.projections.outcome import OutcomeDocument
from notes_query.projections.read_model import Folded
from notes_query.projections.recorded_event import Record, RecordedEvent

LAST: Final = 2**63 - 1
View = Mapping[str, Any]
"""A note without its body, as `NoteDocument` names the fields."""


class Parked(NamedTuple):
    """An event that waits for a missing version, as stored."""

    note_id: str
    version: int
    record: Record


class Level(NamedTuple):
    """The id of a document, and the level (a note's version) that it has reached."""

    key: str
    level: int


def version_of(note: View) -> int:
    """Return the level of a note for who is told of its versions."""
    version: int = note["version"]
    return version


def level_of(note: View) -> int:
    """Return the level of a note for who waits for a version: of one that is deleted nothing more will come."""
    return LAST if note.get("status") == "deleted" else version_of(note)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record nobody can process: what was read, why it was given up, and when."""

    record: Record
    code: Code
    reason: str
    at: datetime
    mark: str = ""
    """Which of several that were at one place, of a topic made anew: empty for the first, then the record's digest."""

    @property
    def id(self) -> str:
        """Where the record came from; the same record is the same dead letter."""
        return f"{self.place}#{self.mark}" if self.mark else self.place

    @property
    def place(self) -> str:
        """Return its topic, partition and offset."""
        return f"{self.record.topic}:{self.record.partition}:{self.record.offset}"

    def is_of(self, record: Record) -> bool:
        """Return whether it is that record, and not another one of the same place."""
        return _content(self.record) == _content(record)

    def marked(self) -> "DeadLetter":
        """Return it as one that is not the first of its place."""
        key, value, headers = _content(self.record)
        parts = repr((key, headers)).encode(), b"none" if value is None else sha256(value).digest()
        return replace(self, mark=sha256(b"".join(parts)).hexdigest()[:16])


def _content(record: Record) -> tuple[object, bytes | None, object]:
    return record.key, record.value, [(name, value) for name, value in record.headers]


class FoldStore(Protocol):
    """Documents and waiting events of one folded read model in one build, for the projector."""

    async def load(
        self, note_ids: Collection[str], events: Sequence[RecordedEvent], unseen: Collection[str] = ()
    ) -> tuple[dict[str, Folded], dict[str, Pending]]:
        """Return the documents of these notes, and what is kept of them beside, both by id, where there is any.

        `events`: those that were received. `unseen`: those of the notes whose documents are not looked for.
        """
        ...

    async def blocks(self, wanted: Collection[tuple[str, int]]) -> dict[tuple[str, int], bytes]:
        """Return the ids of older versions, by note and number of the block; what is not known is left out."""
        ...

    async def waiting(self, after: Mapping[str, int], max_bytes: int, max_events: int) -> list[Parked]:
        """Return waiting events that come right after these versions of notes, each note's in order, without a hole.

        At most so many, and no more once they have so many bytes together: of some of the notes, at least one event
        if any note has one.
        """
        ...

    async def write(self, writes: Writes) -> set[str]:
        """Write what a fold has found, in an order that loses nothing if it stops half way. Repeats are harmless.

        Return the notes that were to be inserted and have a document: nothing was changed of them, fold them again.
        """
        ...

    async def healable(self, after: str, limit: int) -> tuple[list[str], str]:
        """Look at the next `limit` notes with waiting events, by id; return those whose next version waits.

        Also return the id to go on after: an empty one where these were the last.
        """
        ...

    async def count_parked(self) -> tuple[int, int]:
        """Return how many events wait for a missing version, and how many forks are kept."""
        ...

    async def disregarded(self, events: Collection[RecordedEvent]) -> set[ForkKey]:
        """Return those of these forks that count for nothing, by a person's decision."""
        ...


class EntryStore(Protocol):
    """Documents of one read model with a document for each event, in one build."""

    async def load(self, events: Collection[RecordedEvent]) -> EntriesKnown:
        """Return what is known of these events' versions and notes."""
        ...

    async def highest(self, note_ids: Collection[str]) -> dict[str, int]:
        """Return the highest version that is entered of each note."""
        ...

    async def write(self, entries: Sequence[Mapping[str, Any]], forks: Sequence[Fork]) -> None:
        """Keep these; one that is there already stays as it is."""
        ...

    async def count_parked(self) -> tuple[int, int]:
        """Return 0, since no entry waits for another, and how many forks are kept."""
        ...

    async def disregarded(self, events: Collection[RecordedEvent]) -> set[ForkKey]:
        """Return those of these forks that count for nothing, by a person's decision."""
        ...


class OutcomeStore(Protocol):
    """Outcomes by command id."""

    async def add(self, outcomes: Sequence[OutcomeDocument]) -> None:
        """Keep these; one that is there already stays as it is."""
        ...

    async def get(self, command_id: str) -> OutcomeDocument | None:
        """Return the outcome of a command."""
        ...


class AwaitedVersions(Protocol):
    """Versions that accepted outcomes have announced, in batches. Raises StoreUnavailable."""

    async def expect(self, batch: str, versions: Mapping[str, int], due: datetime) -> None:
        """Keep what a batch announces: the highest version by note. The same batch again changes nothing."""
        ...

    async def claim(self, now: datetime, until: datetime) -> tuple[str, dict[str, int]]:
        """Take some batches that are due, for oneself until then; return the claim and what they announce together."""
        ...

    async def done(self, claim: str) -> None:
        """Forget the batches of a claim."""
        ...


class DeadLetterStore(Protocol):
    """Dead letters, kept before they are sent."""

    async def add(self, letters: Sequence[DeadLetter]) -> None:
        """Keep these; one that is there already stays as it is."""
        ...

    async def claim(self, now: datetime) -> DeadLetter | None:
        """Return one that is not sent, and leave it to the caller for a minute."""
        ...

    async def sent(self, letter: DeadLetter, now: datetime) -> None:
        """Note that it was sent."""
        ...

    async def put_off(self, letter: DeadLetter, until: datetime) -> None:
        """Leave it, not sent, to whoever claims one from then on."""
        ...


class TopicReader(Protocol):
    """Reads the topic of events without a group. Raises TopicUnavailable."""

    def read(self, partition: int, start: int, end: int) -> AsyncIterator[Sequence[Record]]:
        """Return the records of a partition from offset `start` to before `end`, in order."""
        ...


class Changes(Protocol):
    """What is stored by whichever instance."""

    async def follow(self, tell: Callable[[str, int], None], opened: Callable[[], Awaitable[None]]) -> None:
        """Call `tell` with key and level of whatever is stored, until cancelled.

        `opened` is awaited once nothing that is stored from then on can be missed.
        """
        ...

    async def levels(self, keys: Collection[str]) -> list[Level]:
        """Return where these keys are now, in one query; one that is not stored is left out."""
        ...


class DeadLetterSender(Protocol):
    """The topic of dead letters, which has one partition."""

    @property
    def name(self) -> str:
        """Its name."""

    async def send(self, letter: DeadLetter) -> None:
        """Send one, and return when it cannot be lost any more. Raises SendFailed."""
        ...
