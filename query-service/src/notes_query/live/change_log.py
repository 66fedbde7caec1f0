"""The latest changes as server-sent events, shared by all clients of this instance.

A client costs a number in this log, not a queue of its own.
"""

from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from pydantic_core import to_json

from notes_query.live.pending_changes import Sent
from notes_query.live.position import StreamPosition

MAX_ENTRIES: Final = 16_384
MAX_BYTES: Final = 8 * 1024 * 1024
HEARTBEAT: Final = b": heartbeat\n\n"


class Entry(NamedTuple):
    """A frame that every client is sent. `id`: the position after it.

    `late`: positions of other readers may have passed it before. `note_id`: None for a reset, which is not an event of
    the topic; after it, offsets of earlier entries mean other records.
    """

    note_id: str | None
    partition: int
    offset: int
    late: bool
    id: str
    frame: bytes


class ChangeLog:
    """The latest entries, limited in number and in bytes. A client that needs an entry which is gone was too slow."""

    def __init__(self, start: StreamPosition, max_entries: int = MAX_ENTRIES, max_bytes: int = MAX_BYTES) -> None:
        self._entries: dict[int, Entry] = {}
        self._latest: dict[str | None, int] = {}
        """The number of the last entry of each note."""
        self._by_source: dict[tuple[int, int], int] = {}
        """The number of the last entry from each (partition, offset) since the last restart."""
        self._max_entries = max_entries
        self._max_bytes = max_bytes
        self._bytes = 0
        self.first = 0
        """The number of the oldest entry."""
        self.end = 0
        """The number of the next entry to come."""
        self._restarted_at = 0
        """The number of the first entry after the last restart; offsets of earlier entries mean other records."""
        self._gone = list(start.next)

    def append(self, entries: Iterable[Entry]) -> None:
        """Add entries, and drop the oldest ones for them."""
        for entry in entries:
            while len(self._entries) == self._max_entries or (
                self._bytes + len(entry.frame) > self._max_bytes and self._entries
            ):
                self._drop()
            self._entries[self.end] = entry
            self._latest[entry.note_id] = self.end
            if entry.note_id is not None:
                self._by_source[entry.partition, entry.offset] = self.end
            self._bytes += len(entry.frame)
            self.end += 1

    @property
    def oldest(self) -> int:
        """The number of the oldest entry since the last restart."""
        return max(self.first, self._restarted_at)

    def restart(self, start: StreamPosition) -> None:
        """Go on with entries from `start` on, in this topic or in one that was made anew.

        The log has none of the events between, and offsets of earlier entries may be used again.
        """
        self._gone = list(start.next)
        self._restarted_at = self.end
        self._by_source.clear()

    def grow(self, start: Sequence[int]) -> None:
        """Take the partitions that the topic has got, which are read from `start` on."""
        self._gone += start[len(self._gone) :]

    def since(self, number: int, at_most: int) -> list[Entry] | None:
        """Return the entries from that number on; None if the first of them is gone."""
        if number < self.first:
            return None
        return [self._entries[each] for each in range(number, min(self.end, number + at_most))]

    def is_latest(self, number: int) -> bool:
        """Return whether the entry with that number is the last of its note."""
        return self._latest[self._entries[number].note_id] == number

    def reaches(self, position: StreamPosition) -> bool:
        """Return whether a client at this position has seen all entries that are gone from the log.

        Its pending events have to be in the log, or still to come: ask `gone`.
        """
        if len(position.next) != len(self._gone):
            return False
        return all(next_ >= gone for next_, gone in zip(position.next, self._gone, strict=True))

    def gone(self, sources: Iterable[tuple[int, int]]) -> bool:
        """Return whether the log has dropped an event of one of these (partition, offset), or never had it."""
        return any(
            offset < self._gone[partition] and (partition, offset) not in self._by_source
            for partition, offset in sources
        )

    def _drop(self) -> None:
        number = self.first
        self.first += 1
        entry = self._entries.pop(number)
        self._bytes -= len(entry.frame)
        if self._latest[entry.note_id] == number:
            del self._latest[entry.note_id]
        if number >= self._restarted_at:
            source = (entry.partition, entry.offset)
            self._gone[entry.partition] = max(self._gone[entry.partition], entry.offset + 1)
            if self._by_source.get(source) == number:
                del self._by_source[source]


def entry_of(sent: Sent) -> Entry:
    """Return the entry of a change: its frame is made once for all clients."""
    change = sent.change
    data = {"id": change.note_id, "version": change.version, "type": change.type, "occurred_at": change.occurred_at}
    return Entry(change.note_id, change.partition, change.offset, sent.late, sent.id, frame("change", data, sent.id))


def reset_entry(id_: str, reason: str) -> Entry:
    """Return the entry that informs every client of a loss."""
    return Entry(None, 0, 0, late=True, id=id_, frame=frame("reset", {"reason": reason}, id_))


def frame(event: str, data: object, id_: str) -> bytes:
    """Return the bytes of an event. `to_json` writes no line breaks."""
    return b"id: %b\nevent: %b\ndata: %b\n\n" % (id_.encode(), event.encode(), to_json(data))


def opening(retry_ms: int, id_: str) -> bytes:
    """Return the first bytes of a stream: when to connect again, and with which id if no event comes until then."""
    return b"retry: %d\nid: %b\n\n" % (retry_ms, id_.encode())
