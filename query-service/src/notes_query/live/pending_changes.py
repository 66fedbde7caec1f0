"""Events that were read, until the documents of their notes hold them."""

from collections import OrderedDict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from notes_query.live.position import Position, head, tail, text, varint

NAMED: Final = 8
"""Held events of one partition that a position names; the position stays below the others."""
ASIDE: Final = 1_000
ASIDE_OF_A_NOTE: Final = 100
"""Of which one note has so many, at most: the latest."""
ASIDE_AFTER_S: Final = 60.0
REMEMBERED: Final = 10_000


class Change(NamedTuple):
    """What a client is told of an event, and where the event stands. `occurred_at` is None if nobody can tell."""

    note_id: str
    version: int
    type: str
    occurred_at: str | None
    partition: int
    offset: int


class Sent(NamedTuple):
    """A change whose document is there. `id`: the position after it. `late`: positions have passed it before."""

    change: Change
    id: str
    late: bool


class PendingChanges:
    """Takes events in the order of their partitions; gives them back as soon as their notes are there.

    A note's changes leave in the order of its versions, each once; those of different notes do not wait for each
    other. The position never passes an event that has not left, unless the projector is done with it and its note is
    not there some seconds later: it was parked or given up, and is set aside for as long as there is room.
    """

    def __init__(self, start: Position) -> None:
        self._topic = start.topic
        self.read: list[int] = start.starts()
        self._sent_below = list(start.next)
        self._pending: list[OrderedDict[int, Change | None]] = [OrderedDict() for _ in start.next]
        for partition, offset in sorted(start.pending):
            self._pending[partition][offset] = None  # named by the position, not read yet
        self._notes: OrderedDict[str, dict[int, Change]] = OrderedDict()
        self._since: dict[tuple[int, int], float] = {}
        self._aside: OrderedDict[tuple[int, int], Change] = OrderedDict()
        self._aside_of: dict[str, deque[tuple[int, int]]] = {}
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._head = head(start.topic, len(start.next))
        self._nexts = [b""] * len(start.next)
        self._named: list[Sequence[int]] = [()] * len(start.next)
        self._next = list(start.next)
        for partition in range(len(start.next)):
            self._place(partition)
        self.dropped = 0

    def grow(self, start: Sequence[int]) -> None:
        """Take the partitions that the topic has got, from `start` on."""
        for partition in range(len(self.read), len(start)):
            self.read.append(start[partition])
            self._sent_below.append(start[partition])
            self._next.append(start[partition])
            self._pending.append(OrderedDict())
            self._nexts.append(b"")
            self._named.append(())
            self._place(partition)
        self._head = head(self._topic, len(self.read))

    def add(self, changes: Iterable[Change | None], read: Sequence[int]) -> None:
        """Take what was read, None for what cannot be; `read` is where reading goes on, by partition."""
        for change in changes:
            if change is not None:
                self._take(change)
        for partition, offset in enumerate(read):
            self._pass(partition, offset)
            self.read[partition] = max(self.read[partition], offset)
            self._place(partition)

    def _take(self, change: Change) -> None:
        partition, offset = change.partition, change.offset
        pending = self._pending[partition]
        if offset < self._sent_below[partition] and offset not in pending:
            return  # sent before
        versions = self._notes.get(change.note_id, {})
        if change.version <= self._seen.get(change.note_id, 0) or change.version in versions:
            pending.pop(offset, None)
            return  # a repeat, or a snapshot of what is known
        self._notes.setdefault(change.note_id, versions)[change.version] = change
        pending[offset] = change

    def _pass(self, partition: int, read: int) -> None:
        """Forget what the position had named and the topic does not have."""
        pending = self._pending[partition]
        for offset in [offset for offset in islice(pending, NAMED) if offset < read and pending[offset] is None]:
            del pending[offset]

    def asked(self, at_most: int) -> list[str]:
        """Return notes that are waited for; when there are more, others the next time."""
        notes = list(islice(self._notes, at_most))
        if len(notes) < len(self._notes):
            for note_id in notes:
                self._notes.move_to_end(note_id)
        return notes

    def reached(self, levels: Iterable[tuple[str, int]]) -> Iterator[Sent]:
        """Give what may be sent, now that these notes are at these versions. Take all of it."""
        groups = []
        for note_id, level in levels:
            versions = self._notes.get(note_id)
            if versions is None:
                continue
            if ready := [versions.pop(version) for version in sorted(versions) if version <= level]:
                groups.append(ready)
                self._remember(note_id, ready[-1].version)
            if not versions:
                del self._notes[note_id]
        groups.sort(key=lambda changes: (changes[0].partition, changes[0].offset))
        for changes in groups:
            for change in changes:
                yield self._leave(change)

    def _leave(self, change: Change) -> Sent:
        partition, offset = change.partition, change.offset
        if self._aside.pop((partition, offset), None) is not None:
            self._aside_of[change.note_id].remove((partition, offset))
            if not self._aside_of[change.note_id]:
                del self._aside_of[change.note_id]
            return Sent(change, self.id, late=True)
        del self._pending[partition][offset]
        self._since.pop((partition, offset), None)
        self._sent_below[partition] = max(self._sent_below[partition], offset + 1)
        self._place(partition)
        return Sent(change, self.id, late=False)

    def _remember(self, note_id: str, version: int) -> None:
        self._seen[note_id] = version
        self._seen.move_to_end(note_id)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def set_aside(self, passed: Mapping[int, int], now: float, after_s: float = ASIDE_AFTER_S) -> None:
        """Let the position pass what will not come by itself. `passed`: how far the projector is, by partition.

        `after_s`: seconds since that was first seen of an event.
        """
        for partition, below in passed.items():
            if partition >= len(self._pending):
                continue  # of a partition that is not read yet
            for offset, change in list(self._pending[partition].items()):
                if offset >= below:
                    break
                since = self._since.setdefault((partition, offset), now)
                if now - since >= after_s and change is not None:
                    del self._pending[partition][offset], self._since[partition, offset]
                    self._sent_below[partition] = max(self._sent_below[partition], offset + 1)
                    self._aside[partition, offset] = change
                    places = self._aside_of.setdefault(change.note_id, deque())
                    places.append((partition, offset))
                    if len(places) > ASIDE_OF_A_NOTE:
                        self._drop(places[0])
            self._place(partition)
        while len(self._aside) > ASIDE:
            self._drop(next(iter(self._aside)))

    def _drop(self, place: tuple[int, int]) -> None:
        change = self._aside.pop(place)
        places, versions = self._aside_of[change.note_id], self._notes[change.note_id]
        places.remove(place)
        del versions[change.version]
        if not places:
            del self._aside_of[change.note_id]
        if not versions:
            del self._notes[change.note_id]
        self.dropped += 1

    def _place(self, partition: int) -> None:
        """Say anew how far the position is in a partition."""
        pending = self._pending[partition]
        if not pending:
            next_, first = max(self._sent_below[partition], self.read[partition]), []
        else:
            first = [offset for offset in islice(pending, NAMED + 1) if offset < self._sent_below[partition]]
            next_ = first[NAMED] if len(first) > NAMED else self._sent_below[partition]
        self._next[partition], self._named[partition] = next_, first[:NAMED]
        self._nexts[partition] = varint(next_)

    @property
    def position(self) -> Position:
        """How far everything has been sent."""
        return Position(self._topic, tuple(self._next), tuple(self._pairs()))

    @property
    def id(self) -> str:
        """The text of the position."""
        pending = tail(self._next, self._pairs()) if any(self._named) else b""
        return text(self._head + b"".join(self._nexts) + pending)

    def _pairs(self) -> Iterator[tuple[int, int]]:
        return ((partition, offset) for partition, named in enumerate(self._named) for offset in named)

    def holds(self, partition: int, offset: int) -> bool:
        """Say whether that event has still to be sent, and positions have not passed it."""
        return offset in self._pending[partition]

    @property
    def waiting(self) -> int:
        """How many events wait, without those that are set aside."""
        return sum(map(len, self._pending))

    @property
    def aside(self) -> int:
        """How many events are set aside."""
        return len(self._aside)

    @property
    def waits(self) -> bool:
        """Whether there is anything whose document is not there yet, aside or not."""
        return bool(self._notes)
