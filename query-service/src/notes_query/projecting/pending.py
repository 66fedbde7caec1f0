"""What is kept of notes beside their documents: events that wait, forks, and the ids of older versions."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from notes_query.projections.folding import block_of, id_at, ids_of
from notes_query.projections.read_model import Folded, Record, RecordedEvent

Blocks = Mapping[tuple[str, int], bytes]
"""Ids of older versions, by note and number of the block."""


class Fork(NamedTuple):
    """An event that has another's version. `at`: the version of its note's document when it was found."""

    event: RecordedEvent
    at: int


ForkKey = tuple[str, int, str]
"""Note id, version and event id of a fork."""


@dataclass(frozen=True, slots=True)
class EntriesKnown:
    """What is known of some versions of notes, in a read model with one document for each event.

    `ids`: the event's id by the id of its document, None where it is not known. `forks`: those that are kept, of
    these notes. `stops`: notes of which nothing is entered until there is a snapshot of that version or a higher one.
    """

    ids: Mapping[str, str | None] = field(default_factory=dict)
    forks: Collection[ForkKey] = ()
    stops: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Reached:
    """How far the entries of a note go without a hole: the version that its folded document has.

    `beyond`: the versions that are entered behind the first hole.
    """

    version: int = 0
    beyond: set[int] = field(default_factory=set)

    def enter(self, version: int) -> None:
        """Take one more that is entered."""
        self.beyond.add(version)
        self._go_on()

    def jump(self, version: int) -> None:
        """Take a snapshot, behind which it does not matter what is missing."""
        self.version = max(self.version, version)
        self.beyond = {one for one in self.beyond if one > self.version}
        self._go_on()

    def _go_on(self) -> None:
        while self.version + 1 in self.beyond:
            self.version += 1
            self.beyond.discard(self.version)


class Parked(NamedTuple):
    """An event that waits for a missing version, as stored."""

    note_id: str
    version: int
    record: Record


@dataclass(frozen=True, slots=True)
class Pending:
    """What is kept of a note beside its document.

    `events`: how many wait, from version `first` to `last`. `ids`: event ids by version, of those of them that have
    the version of a received event. `forks`: where they were found, by version and event id.
    """

    events: int = 0
    first: int = 0
    last: int = 0
    ids: Mapping[int, str] = field(default_factory=dict)
    forks: Mapping[tuple[int, str], int] = field(default_factory=dict)


def is_stopped(forks: Iterable[tuple[int, int]], version: int, snapshot: int) -> bool:
    """Say whether folding has stopped at this version of a document, whose last snapshot was of version `snapshot`.

    `forks` are pairs: the fork's version, and the document's when it was found. Nobody can say which history the next
    event belongs to; only a snapshot above both does.
    """
    return any(at <= version and snapshot < max(at + 1, forked) for forked, at in forks)


def stops_of(forks: Mapping[str, Mapping[tuple[int, str], int]], snapshots: Mapping[str, int]) -> dict[str, int]:
    """Return the notes that these forks stop, and of which version a snapshot has to be, at least, to heal them.

    `forks`: where they were found, by version and event id; `snapshots`: the last one that was taken; by note both.
    """
    wanted = {note_id: max(max(at + 1, version) for (version, _), at in its.items()) for note_id, its in forks.items()}
    return {note_id: version for note_id, version in wanted.items() if snapshots.get(note_id, 0) < version}


def older_blocks(documents: Mapping[str, Folded], events: Iterable[RecordedEvent]) -> set[tuple[str, int]]:
    """Return the blocks of ids that are needed to tell which of these events are repeats, and no document holds."""
    found = set()
    for event in events:
        document = documents.get(event.note_id)
        if document is not None and id_at(ids_of(document), document["version"], event.version) is None:
            found.add((event.note_id, block_of(event.version)))
    return found
