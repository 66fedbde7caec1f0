"""Events that positions have passed though their documents are not there: for as long as there is room."""

from collections import OrderedDict, deque
from collections.abc import Collection
from typing import Final, NamedTuple

from prometheus_client import Counter

ASIDE: Final = 1_000
ASIDE_OF_A_NOTE: Final = 100
"""Of which one note has so many, at most: the latest."""
DROPPED: Final = Counter(
    "notes_query_changes_dropped_total", "Changes that were set aside and for which there was no room any more"
)


class Change(NamedTuple):
    """What a client is told of an event, and where the event stands. `occurred_at` is None if nobody can tell."""

    note_id: str
    version: int
    type: str
    occurred_at: str | None
    partition: int
    offset: int

    @property
    def place(self) -> tuple[int, int]:
        """Return partition and offset."""
        return self.partition, self.offset


class SetAside:
    """Bounded, in all and by note."""

    def __init__(self) -> None:
        self._changes: OrderedDict[tuple[int, int], Change] = OrderedDict()
        self._of_notes: dict[str, deque[Change]] = {}

    def add(self, change: Change) -> list[Change]:
        """Keep a change; return those that are dropped for it, the first that were kept."""
        self._changes[change.place] = change
        of_note = self._of_notes.setdefault(change.note_id, deque())
        of_note.append(change)
        dropped = [of_note[0]] if len(of_note) > ASIDE_OF_A_NOTE else []
        if not dropped and len(self._changes) > ASIDE:
            dropped = [next(iter(self._changes.values()))]
        for one in dropped:
            self.remove(one)
            DROPPED.inc()
        return dropped

    def has_room(self, note_id: str) -> bool:
        """Say whether a change of that note can be kept without another being dropped."""
        return len(self._changes) < ASIDE and len(self._of_notes.get(note_id, ())) < ASIDE_OF_A_NOTE

    def remove(self, change: Change) -> bool:
        """Say whether that change was kept; keep it no longer."""
        if self._changes.pop(change.place, None) is None:
            return False
        of_note = self._of_notes[change.note_id]
        of_note.remove(change)
        if not of_note:
            del self._of_notes[change.note_id]
        return True

    def all(self) -> Collection[Change]:
        """Return what is kept, the first that was first."""
        return self._changes.values()
