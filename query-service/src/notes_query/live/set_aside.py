"""Events that the position has passed though their documents are not stored, for as long as there is room."""

from collections import OrderedDict, deque
from collections.abc import Collection
from typing import Final, NamedTuple

from prometheus_client import Counter

ASIDE: Final = 1_000
ASIDE_OF_A_NOTE: Final = 100
"""How many of them may be of one note; its latest stay."""
DROPPED: Final = Counter(
    "notes_query_changes_dropped_total", "Changes that were set aside and for which there was no room any more"
)


class Change(NamedTuple):
    """What a client learns of an event, with its partition and offset. `occurred_at` is None if it is not known."""

    note_id: str
    version: int
    type: str
    occurred_at: str | None
    partition: int
    offset: int

    @property
    def source(self) -> tuple[int, int]:
        """Return partition and offset of the event."""
        return self.partition, self.offset


class SetAside:
    """Changes that are set aside; their number is limited, in all and by note."""

    def __init__(self) -> None:
        self._changes: OrderedDict[tuple[int, int], Change] = OrderedDict()
        self._of_notes: dict[str, deque[Change]] = {}

    def add(self, change: Change) -> list[Change]:
        """Keep a change. Return the oldest changes that are dropped for it."""
        self._changes[change.source] = change
        of_note = self._of_notes.setdefault(change.note_id, deque())
        of_note.append(change)
        dropped = [of_note[0]] if len(of_note) > ASIDE_OF_A_NOTE else []
        if not dropped and len(self._changes) > ASIDE:
            dropped = [next(iter(self._changes.values()))]
        for oldest in dropped:
            self.remove(oldest)
            DROPPED.inc()
        return dropped

    def has_room(self, note_id: str) -> bool:
        """Return whether a change of that note can be kept without another being dropped."""
        return len(self._changes) < ASIDE and len(self._of_notes.get(note_id, ())) < ASIDE_OF_A_NOTE

    def remove(self, change: Change) -> bool:
        """Drop a change. Return whether it was kept."""
        if self._changes.pop(change.source, None) is None:
            return False
        of_note = self._of_notes[change.note_id]
        of_note.remove(change)
        if not of_note:
            del self._of_notes[change.note_id]
        return True

    def all(self) -> Collection[Change]:
        """Return the changes in the order in which they were added."""
        return self._changes.values()
