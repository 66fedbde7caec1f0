"""Decide which decoded events become entries. Pure: what is stored and what has arrived in, what to write out."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from notes_query.projecting.counts import Counts
from notes_query.projecting.fold_batch import MAX_FORKS
from notes_query.projecting.pending import EntriesKnown, Fork, ForkKey, Reached
from notes_query.projections.read_model import Entry, RecordedEvent, entry_id


class Entered(NamedTuple):
    """What a store has to write: `entries`, `forks` and `healing_snapshots`.

    `heals_from`: the notes that are stopped then, as `EntriesKnown` has them. `taken`: ids of the entries that another
    process had stored before. `healing_snapshots`: snapshots that count and are not among the entries, because the
    event of their version is.
    """

    entries: list[dict[str, Any]]
    forks: list[Fork]
    heals_from: dict[str, int]
    counts: Counts
    taken: set[str]
    healing_snapshots: list[RecordedEvent]


def enter_batch(
    events: Sequence[RecordedEvent], known: EntriesKnown, reached: Mapping[str, Reached], entry: Entry
) -> Entered:
    """Return what has to be written.

    `reached`: of notes with forks, or with snapshots whose version has an entry; the entries made here are added.
    Without a note's `reached` the version of its forks is not the right one yet, and some of its healing snapshots
    may change nothing: call again with it.
    """
    event_ids = dict(known.ids)
    entered = Entered([], [], dict(known.heals_from), Counts(), set(), [])
    forks: dict[str, set[ForkKey]] = {}
    for key in known.forks:
        forks.setdefault(key[0], set()).add(key)
    notes: dict[str, _NoteEntries] = {}
    for event in events:
        note_id = event.note_id
        if (note := notes.get(note_id)) is None:
            note = _NoteEntries(event_ids, forks.get(note_id), reached.get(note_id), entry, entered)
            notes[note_id] = note
        note.take(event)
    return entered


class _NoteEntries:
    """One note on its way through a batch. `event_ids`: those of all entries, by the entry's id."""

    __slots__ = ("entered", "entry", "event_ids", "forks", "reached")

    def __init__(
        self,
        event_ids: dict[str, str | None],
        forks: set[ForkKey] | None,
        reached: Reached | None,
        entry: Entry,
        entered: Entered,
    ) -> None:
        self.event_ids = event_ids
        self.forks = forks
        self.reached = reached
        self.entry = entry
        self.entered = entered

    def take(self, event: RecordedEvent) -> None:
        id_ = entry_id(event)
        if id_ in self.event_ids:
            if event.is_snapshot:
                self._take_snapshot_of_entry(event)
            else:
                self._take_repeat_or_fork(event, self.event_ids[id_])
        elif self._is_ignored_while_stopped(event):
            self.entered.counts.ignored += 1
        else:
            self._enter(event, id_)

    def _take_snapshot_of_entry(self, snapshot: RecordedEvent) -> None:
        """Keep a snapshot that heals the note, or that jumps over versions which are missing."""
        self.entered.counts.ignored += 1
        heals_from = self.entered.heals_from.get(snapshot.note_id)
        if heals_from is not None:
            counts = snapshot.version >= heals_from
        else:
            counts = self.reached is None or snapshot.version > self.reached.version
        if not counts:
            return
        self.entered.healing_snapshots.append(snapshot)
        self.entered.heals_from.pop(snapshot.note_id, None)
        if self.reached is not None:
            self.reached.jump(snapshot.version)

    def _take_repeat_or_fork(self, event: RecordedEvent, entered_id: str | None) -> None:
        is_repeat = entered_id is None or entered_id == event.id or event.stands_in
        if is_repeat or (self.forks is not None and event.identity in self.forks):
            self.entered.counts.ignored += 1
        else:
            self._fork(event)

    def _fork(self, event: RecordedEvent) -> None:
        """Stop the note: a fork beyond MAX_FORKS does so, too, and is not kept."""
        self.entered.counts.forked += 1
        version = event.version if self.reached is None else self.reached.version
        if self.forks is None:
            self.forks = set()
        if len(self.forks) < MAX_FORKS:
            self.forks.add(event.identity)
            self.entered.forks.append(Fork(event, version))
        heals_from = self.entered.heals_from
        heals_from[event.note_id] = max(heals_from.get(event.note_id, 0), version + 1, event.version)

    def _is_ignored_while_stopped(self, event: RecordedEvent) -> bool:
        heals_from = self.entered.heals_from.get(event.note_id)
        if heals_from is None:
            return False
        return not event.is_snapshot or event.version < heals_from

    def _enter(self, event: RecordedEvent, id_: str) -> None:
        self.entered.heals_from.pop(event.note_id, None)
        self.entered.entries.append(self.entry(event))
        self.event_ids[id_] = None if event.stands_in else event.id
        self.entered.counts.applied += 1
        if self.reached is None:
            return
        if event.is_snapshot:
            self.reached.jump(event.version)
        else:
            self.reached.enter(event.version, event.version)
