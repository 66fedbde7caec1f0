"""The latest changes as server-sent events, for all clients of this instance together.

A client is a number, not a queue.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pydantic_core import to_json

from notes_query.live.pending_changes import Sent
from notes_query.live.position import StreamPosition

MOST: Final = 16_384
MOST_BYTES: Final = 8 * 1024 * 1024
HEARTBEAT: Final = b": heartbeat\n\n"


class Entry(NamedTuple):
    """What every client is sent. `id` is the position after it.

    `late`: positions of other readers may have passed it before. `note_id`: None for a reset, which is not an event of
    the topic; offsets of entries before it mean nothing after it.
    """

    note_id: str | None
    partition: int
    offset: int
    late: bool
    id: str
    frame: bytes


class ChangeLog:
    """The latest entries, bounded by number and by bytes. Who wants one that is gone was too slow."""

    def __init__(self, start: StreamPosition, most: int = MOST, most_bytes: int = MOST_BYTES) -> None:
        self._entries: dict[int, Entry] = {}
        self._latest: dict[str | None, int] = {}
        self._places: dict[tuple[int, int], int] = {}
        """The number of the last entry from each (partition, offset) since the last restart."""
        self._most, self._most_bytes = most, most_bytes
        self._bytes = 0
        self.first = self.end = 0
        """The numbers of the oldest entry, and of the one to come."""
        self._anew = 0
        """The number of the first entry after the last restart; offsets of those before mean nothing any more."""
        self._gone = list(start.next)

    def append(self, entries: Iterable[Entry]) -> None:
        """Add entries; the oldest go."""
        for entry in entries:
            while len(self._entries) == self._most or (
                self._bytes + len(entry.frame) > self._most_bytes and self._entries
            ):
                self._drop()
            self._entries[self.end] = entry
            self._latest[entry.note_id] = self.end
            if entry.note_id is not None:
                self._places[entry.partition, entry.offset] = self.end
            self._bytes += len(entry.frame)
            self.end += 1

    @property
    def oldest(self) -> int:
        """The number of the oldest entry since the last restart."""
        return max(self.first, self._anew)

    def restart(self, start: StreamPosition) -> None:
        """Note that the entries to come are from there on, in this topic or in another.

        What came between is not known here, and offsets of before may be used again.
        """
        self._gone, self._anew = list(start.next), self.end
        self._places.clear()

    def grow(self, start: Sequence[int]) -> None:
        """Note that the topic has got partitions, which are read from `start` on."""
        self._gone += start[len(self._gone) :]

    def since(self, number: int, at_most: int) -> list[Entry] | None:
        """Return the entries from that number on; None if the first of them is gone."""
        if number < self.first:
            return None
        return [self._entries[place] for place in range(number, min(self.end, number + at_most))]

    def is_latest(self, number: int) -> bool:
        """Return whether the entry with that number is the last one of its note."""
        return self._latest[self._entries[number].note_id] == number

    def reaches(self, position: StreamPosition) -> bool:
        """Return whether everything that was sent and is gone from here has been seen by who is at this position.

        What that client holds of the offsets below has to be here, or to be still to come: ask `gone`.
        """
        if len(position.next) != len(self._gone):
            return False
        return all(next_ >= gone for next_, gone in zip(position.next, self._gone, strict=True))

    def gone(self, places: Iterable[tuple[int, int]]) -> bool:
        """Return whether one of these (partition, offset) is below what is gone from here, and is not here."""
        return any(place[1] < self._gone[place[0]] and place not in self._places for place in places)

    def _drop(self) -> None:
        number, self.first = self.first, self.first + 1
        entry = self._entries.pop(number)
        self._bytes -= len(entry.frame)
        if self._latest[entry.note_id] == number:
            del self._latest[entry.note_id]
        if number >= self._anew:
            place = (entry.partition, entry.offset)
            self._gone[entry.partition] = max(self._gone[entry.partition], entry.offset + 1)
            if self._places.get(place) == number:
                del self._places[place]


def entry_of(sent: Sent) -> Entry:
    """Return a change as the log keeps it: written once, for every client."""
    change = sent.change
    data = {"id": change.note_id, "version": change.version, "type": change.type, "occurred_at": change.occurred_at}
    return Entry(change.note_id, change.partition, change.offset, sent.late, sent.id, frame("change", data, sent.id))


def reset_entry(id_: str, reason: str) -> Entry:
    """Return what tells every client that something is lost."""
    return Entry(None, 0, 0, late=True, id=id_, frame=frame("reset", {"reason": reason}, id_))


def frame(event: str, data: object, id_: str) -> bytes:
    """Return one event; JSON has no line breaks of its own."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (id_.encode(), event.encode(), to_json(data))


def opening(retry_ms: int, id_: str) -> bytes:
    """Return what a stream begins with: when to come back, and from where, should nothing happen until then."""
    return b"retry: %d\nid: %b\n\n" % (retry_ms, id_.encode())
