"""Events that were read, until the documents of their notes hold them."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from notes_query.live.position import NAMED, NAMED_IN_ALL, StreamPosition, encode, head, tail, text, varint
from notes_query.live.set_aside import DROPPED, Change, SetAside

ASIDE_AFTER_S: Final = 60.0
"""Seconds after the projector has passed an event until it is set aside, if its document is not stored."""
REMEMBERED: Final = 10_000
"""Notes whose last sent version is remembered, so that repeats are not sent."""


class Sent(NamedTuple):
    """A change whose document is stored. `id`: the position after it.

    `late`: the projector had passed the event before, so positions may have passed it, here or on another instance.
    """

    change: Change
    id: str
    late: bool


class _Partition:
    """A partition of the topic. `pending`: changes by offset; None for an offset that a position named, not yet read.

    `read`: the offset at which reading goes on. `next`, `named`: the position's offset of this partition, and the
    pending offsets below it.
    """

    __slots__ = ("encoded", "named", "next", "pending", "read", "sent_below")

    def __init__(self, sent_below: int, read: int, named: Iterable[int] = ()) -> None:
        self.sent_below = sent_below
        self.read = read
        self.pending: OrderedDict[int, Change | None] = OrderedDict.fromkeys(named)
        self.move_position()

    def go_on(self, read: int) -> None:
        """Go on reading at `read`. Forget the offsets that the position named and the topic no longer has."""
        for offset in [
            offset for offset in islice(self.pending, NAMED) if offset < read and self.pending[offset] is None
        ]:
            del self.pending[offset]
        self.read = max(self.read, read)
        self.move_position()

    def pass_by(self, offset: int) -> None:
        """Let the position pass an event, which is sent or set aside."""
        del self.pending[offset]
        self.sent_below = max(self.sent_below, offset + 1)

    def move_position(self) -> None:
        """Set `next`, `named` and `encoded` to how far the position is now."""
        if not self.pending:
            self.next = max(self.sent_below, self.read)
            first = []
        else:
            first = [offset for offset in islice(self.pending, NAMED + 1) if offset < self.sent_below]
            self.next = first[NAMED] if len(first) > NAMED else self.sent_below
        self.named = first[:NAMED]
        self.encoded = varint(self.next)


class PendingChanges:
    """Takes events in the order of their partitions; gives them back as soon as their notes' documents are stored.

    A note's changes leave in the order of its versions, each once. Changes of different notes do not wait for each
    other. The position passes no event that has not left, with one exception: the projector has passed the event, and
    some seconds later its document is still not stored. Such an event was parked or given up. It is set aside for as
    long as there is room.
    """

    def __init__(self, start: StreamPosition) -> None:
        self._topic = start.topic
        self._partitions = [
            _Partition(next_, read, sorted(offset for partition, offset in start.pending if partition == number))
            for number, (next_, read) in enumerate(zip(start.next, start.starts(), strict=True))
        ]
        self._notes: OrderedDict[str, dict[int, Change]] = OrderedDict()
        self._since: dict[tuple[int, int], float] = {}
        self._aside = SetAside()
        self._seen: OrderedDict[str, int] = OrderedDict()
        self._head = head(start.topic, len(start.next))

    @property
    def read(self) -> list[int]:
        """Where reading goes on, by partition."""
        return [partition.read for partition in self._partitions]

    def grow(self, start: Sequence[int]) -> None:
        """Take the partitions that the topic has got, from `start` on."""
        self._partitions += [_Partition(offset, offset) for offset in start[len(self._partitions) :]]
        self._head = head(self._topic, len(self._partitions))

    def add(self, changes: Iterable[Change | None], read: Sequence[int]) -> None:
        """Take what was read, None for unreadable records; `read`: the offset to go on at, by partition."""
        for change in changes:
            if change is not None:
                self._take(change)
        for partition, offset in zip(self._partitions, read, strict=True):
            partition.go_on(offset)

    def _take(self, change: Change) -> None:
        partition, offset = self._partitions[change.partition], change.offset
        if offset < partition.sent_below and offset not in partition.pending:
            return  # sent before
        versions = self._notes.get(change.note_id, {})
        if change.version <= self._seen.get(change.note_id, 0) or change.version in versions:
            partition.pending.pop(offset, None)
            return  # a repeat, or a snapshot of what is known
        self._notes.setdefault(change.note_id, versions)[change.version] = change
        partition.pending[offset] = change

    def asked(self, at_most: int) -> list[str]:
        """Return notes whose documents are waited for. If there are more, the next call returns others."""
        notes = list(islice(self._notes, at_most))
        if len(notes) < len(self._notes):
            for note_id in notes:
                self._notes.move_to_end(note_id)
        return notes

    def reached(self, levels: Iterable[tuple[str, int]]) -> Iterator[Sent]:
        """Yield what may be sent, now that these notes have these versions. The caller has to take all of it."""
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
        if self._aside.remove(change):
            return Sent(change, self.id, late=True)
        late = self._since.pop(change.source, None) is not None
        self._partitions[change.partition].pass_by(change.offset)
        self._partitions[change.partition].move_position()
        return Sent(change, self.id, late)

    def _remember(self, note_id: str, version: int) -> None:
        self._seen[note_id] = version
        self._seen.move_to_end(note_id)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def set_aside(self, passed: Mapping[int, int], now: float, after_s: float = ASIDE_AFTER_S) -> None:
        """Set aside events whose documents will not come by themselves, so that the position passes them.

        `passed`: the projector's offsets by partition. `after_s`: seconds that an event waits once the projector has
        passed it.
        """
        for number, partition in enumerate(self._partitions):
            below = passed.get(number, 0)
            for offset, change in list(partition.pending.items()):
                if offset >= below:
                    break
                since = self._since.setdefault((number, offset), now)
                if now - since >= after_s and change is not None:
                    del self._since[number, offset]
                    partition.pass_by(offset)
                    for dropped in self._aside.add(change):
                        self._forget(dropped)
            partition.move_position()

    def _forget(self, change: Change) -> None:
        versions = self._notes[change.note_id]
        del versions[change.version]
        if not versions:
            del self._notes[change.note_id]

    def adopt(self, aside: Iterable[Change]) -> None:
        """Keep what another reader of the topic had set aside, unless it is known here, while there is room."""
        for change in aside:
            note_id, partition = change.note_id, self._partitions[change.partition]
            versions = self._notes.get(note_id, {})
            comes = change.offset >= partition.read or change.offset in partition.pending
            if comes or change.version <= self._seen.get(note_id, 0) or change.version in versions:
                continue
            if self._aside.has_room(note_id):
                self._notes.setdefault(note_id, versions)[change.version] = change
                self._aside.add(change)
            else:
                DROPPED.inc()

    def forget_since(self) -> None:
        """Let all events wait anew before they are set aside."""
        self._since.clear()

    @property
    def position(self) -> StreamPosition:
        """The position up to which all has been sent."""
        next_: list[int] = []
        pairs: list[tuple[int, int]] = []
        for number, partition in enumerate(self._partitions):
            room = NAMED_IN_ALL - len(pairs)
            next_.append(partition.next if len(partition.named) <= room else partition.named[room])
            pairs += [(number, offset) for offset in partition.named[:room]]
        return StreamPosition(self._topic, tuple(next_), tuple(pairs))

    @property
    def id(self) -> str:
        """The text of the position."""
        pairs = [(number, offset) for number, its in enumerate(self._partitions) for offset in its.named]
        if len(pairs) > NAMED_IN_ALL:
            return encode(self.position)
        nexts = b"".join([partition.encoded for partition in self._partitions])
        pending = tail([partition.next for partition in self._partitions], pairs) if pairs else b""
        return text(self._head + nexts + pending)

    def holds(self, partition: int, offset: int) -> bool:
        """Return whether that event still has to be sent, and the position has not passed it."""
        return offset in self._partitions[partition].pending

    @property
    def waiting(self) -> int:
        """The number of events that wait, without those that are set aside."""
        return sum(len(partition.pending) for partition in self._partitions)

    @property
    def aside(self) -> Collection[Change]:
        """What is set aside."""
        return self._aside.all()

    @property
    def waits(self) -> bool:
        """Whether any change waits for its document, set aside or not."""
        return bool(self._notes)
