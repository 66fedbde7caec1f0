"""What is kept beside the documents of notes: events that wait, forks, and the ids of older versions."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from notes_contracts import snapshot_id
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


def ids_dropped(waits: Mapping[int, str], version: int, snapshot: RecordedEvent) -> dict[int, str]:
    """Return the ids of those waiting events, by version, that a snapshot drops beside a document with this version.

    They tell a repeat from an event of another history. That of a snapshot, of a type not known here, does not.
    """
    return {
        at: id_
        for at, id_ in waits.items()
        if version < at <= snapshot.version and id_ != snapshot_id(snapshot.note_id, at)
    }


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
