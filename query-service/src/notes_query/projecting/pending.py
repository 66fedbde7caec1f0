"""What is kept beside the documents of notes: events that wait, forks, and the ids of older versions."""

from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from notes_query.projections.folding import block_of, id_at, ids_of
from notes_query.projections.read_model import Folded, Record, RecordedEvent

Blocks = Mapping[tuple[str, int], bytes]
"""Ids of older versions, by note and number of the block."""


class Fork(NamedTuple):
    """An event that has another's version. `found_at`: the version of its note's document when it was found."""

    event: RecordedEvent
    found_at: int


ForkKey = tuple[str, int, str]
"""Note id, version and event id of a fork."""


@dataclass(frozen=True, slots=True)
class EntriesKnown:
    """What is known of some versions of notes, in a read model with one document for each event.

    `ids`: the event's id by the id of its document, None where it is not known. `forks`: those that are kept, of
    these notes. `heals_from`: the notes that a fork has stopped. Nothing is entered of them until a snapshot of that
    version or a higher one comes.
    """

    ids: Mapping[str, str | None] = field(default_factory=dict)
    forks: Collection[ForkKey] = ()
    heals_from: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Reached:
    """How far the entries of a note go without a hole: the version that its folded document has.

    `beyond`: the runs of versions behind the first hole, in order, each as its first and its last version. Runs need
    no more memory for a long history than for a short one.
    """

    version: int = 0
    beyond: list[tuple[int, int]] = field(default_factory=list)

    def enter(self, first: int, last: int) -> None:
        """Add the versions from `first` to `last`; some of them may be there already."""
        start = bisect_left(self.beyond, first - 1, key=itemgetter(1))
        end = bisect_right(self.beyond, last + 1, key=itemgetter(0))
        if touched := self.beyond[start:end]:
            first = min(first, touched[0][0])
            last = max(last, touched[-1][1])
        self.beyond[start:end] = [(first, last)]
        self._close_holes()

    def enter_all(self, versions: Sequence[int]) -> None:
        """Add versions, which are in order."""
        if versions and versions[-1] - versions[0] == len(versions) - 1:
            self.enter(versions[0], versions[-1])
            return
        for version in versions:
            self.enter(version, version)

    def jump(self, version: int) -> None:
        """Take a snapshot: what is missing below it no longer matters."""
        self.version = max(self.version, version)
        self._close_holes()

    def _close_holes(self) -> None:
        while self.beyond and self.beyond[0][0] <= self.version + 1:
            _, last = self.beyond.pop(0)
            self.version = max(self.version, last)


class Parked(NamedTuple):
    """An event that waits for a missing version, as stored."""

    note_id: str
    version: int
    record: Record


@dataclass(frozen=True, slots=True)
class Pending:
    """What is kept beside the document of a note.

    `events`: how many wait, from version `first` to `last`. `ids`: the ids of those that have the version of a received
    event, by version. `forks`: the version of the document at which each was found, by version and event id.
    """

    events: int = 0
    first: int = 0
    last: int = 0
    ids: Mapping[int, str] = field(default_factory=dict)
    forks: Mapping[tuple[int, str], int] = field(default_factory=dict)


def is_stopped(forks: Iterable[tuple[int, int]], version: int, snapshot: int) -> bool:
    """Return whether folding has stopped at this version of a document, whose last snapshot was of version `snapshot`.

    `forks`: pairs of the fork's version and the document's version when the fork was found. Nobody can tell which
    history the next event belongs to, until a snapshot above both comes.
    """
    return any(found_at <= version and snapshot < max(found_at + 1, forked) for forked, found_at in forks)


def stops_of(forks: Mapping[str, Mapping[tuple[int, str], int]], snapshots: Mapping[str, int]) -> dict[str, int]:
    """Return the notes that these forks stop, and the lowest version of a snapshot that heals them.

    `forks`: by note, as `Pending` has them. `snapshots`: the version of each note's last snapshot.
    """
    heals_from = {
        note_id: max(max(found_at + 1, version) for (version, _), found_at in its.items())
        for note_id, its in forks.items()
    }
    return {note_id: version for note_id, version in heals_from.items() if snapshots.get(note_id, 0) < version}


def older_blocks(documents: Mapping[str, Folded], events: Iterable[RecordedEvent]) -> set[tuple[str, int]]:
    """Return the blocks of ids, not held by the documents, that tell which of these events are repeats."""
    found = set()
    for event in events:
        document = documents.get(event.note_id)
        if document is not None and id_at(ids_of(document), document["version"], event.version) is None:
            found.add((event.note_id, block_of(event.version)))
    return found
