"""Events that were read, until the documents of their notes hold them."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Final, NamedTuple

from notes_query.live.position import NAMED, NAMED_IN_ALL, Position, encode, head, tail, text, varint
from notes_query.live.set_aside import DROPPED, Change, SetAside

ASIDE_AFTER_S: Final = 60.0
REMEMBERED: Final = 10_000


class Sent(NamedTuple):
    """A change whose document is there. `id`: the position after it.

    `late`: the projector was done with it before, so positions may have passed it, here or on another instance.
    """

    change: Change
    id: str
    late: bool


class _Partition:
    """What is known of one. `pending`: by offset, None for what a position has named and nobody has read yet.

    `read`: where reading goes on. `next`, `named`: what the position says of it; the offsets are below `next`.
    """

    __slots__ = ("encoded", "named", "next", "pending", "read", "sent_below")

    def __init__(self, sent_below: int, read: int, named: Iterable[int] = ()) -> None:
        self.sent_below = sent_below
        self.read = read
        self.pending: OrderedDict[int, Change | None] = OrderedDict.fromkeys(named)
        self.place()

    def go_on(self, read: int) -> None:
        """Note where reading goes on; forget what the position had named and the topic does not have."""
        for offset in [at for at in islice(self.pending, NAMED) if at < read and self.pending[at] is None]:
            del self.pending[offset]
        self.read = max(self.read, read)
        self.place()

    def pass_by(self, offset: int) -> None:
        """Let the position pass an event: it is sent, or set aside."""
        del self.pending[offset]
        self.sent_below = max(self.sent_below, offset + 1)

    def place(self) -> None:
        """Say anew how far the position is."""
        if not self.pending:
            self.next, first = max(self.sent_below, self.read), []
        else:
            first = [offset for offset in islice(self.pending, NAMED + 1) if offset < self.sent_below]
            self.next = first[NAMED] if len(first) > NAMED else self.sent_below
        self.named, self.encoded = first[:NAMED], varint(self.next)


class PendingChanges:
    """Takes events in the order of their partitions; gives them back as soon as their notes are there.

    A note's changes leave in the order of its versions, each once; those of different notes do not wait for each
    other. The position never passes an event that has not left, unless the projector is done with it and its note is
    not there some seconds later: it was parked or given up, and is set aside for as long as there is room.
    """

    def __init__(self, start: Position) -> None:
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
        return [one.read for one in self._partitions]

    def grow(self, start: Sequence[int]) -> None:
        """Take the partitions that the topic has got, from `start` on."""
        self._partitions += [_Partition(offset, offset) for offset in start[len(self._partitions) :]]
        self._head = head(self._topic, len(self._partitions))

    def add(self, changes: Iterable[Change | None], read: Sequence[int]) -> None:
        """Take what was read, None for what cannot be; `read` is where reading goes on, by partition."""
        for change in changes:
            if change is not None:
                self._take(change)
        for one, offset in zip(self._partitions, read, strict=True):
            one.go_on(offset)

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
        if self._aside.remove(change):
            return Sent(change, self.id, late=True)
        late = self._since.pop(change.place, None) is not None
        self._partitions[change.partition].pass_by(change.offset)
        self._partitions[change.partition].place()
        return Sent(change, self.id, late)

    def _remember(self, note_id: str, version: int) -> None:
        self._seen[note_id] = version
        self._seen.move_to_end(note_id)
        if len(self._seen) > REMEMBERED:
            self._seen.popitem(last=False)

    def set_aside(self, passed: Mapping[int, int], now: float, after_s: float = ASIDE_AFTER_S) -> None:
        """Let the position pass what will not come by itself. `passed`: how far the projector is, by partition.

        `after_s`: seconds since that was first seen of an event.
        """
        for partition, one in enumerate(self._partitions):
            below = passed.get(partition, 0)
            for offset, change in list(one.pending.items()):
                if offset >= below:
                    break
                since = self._since.setdefault((partition, offset), now)
                if now - since >= after_s and change is not None:
                    del self._since[partition, offset]
                    one.pass_by(offset)
                    for dropped in self._aside.add(change):
                        self._forget(dropped)
            one.place()

    def _forget(self, change: Change) -> None:
        versions = self._notes[change.note_id]
        del versions[change.version]
        if not versions:
            del self._notes[change.note_id]

    def adopt(self, aside: Iterable[Change]) -> None:
        """Keep what another reader of the topic had set aside, while there is room; not what is known here."""
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
        """Wait anew for all that may be set aside."""
        self._since.clear()

    @property
    def position(self) -> Position:
        """How far everything has been sent."""
        next_: list[int] = []
        pairs: list[tuple[int, int]] = []
        for number, one in enumerate(self._partitions):
            room = NAMED_IN_ALL - len(pairs)
            next_.append(one.next if len(one.named) <= room else one.named[room])
            pairs += [(number, offset) for offset in one.named[:room]]
        return Position(self._topic, tuple(next_), tuple(pairs))

    @property
    def id(self) -> str:
        """The text of the position."""
        pairs = [(number, offset) for number, one in enumerate(self._partitions) for offset in one.named]
        if len(pairs) > NAMED_IN_ALL:
            return encode(self.position)
        nexts = b"".join([one.encoded for one in self._partitions])
        pending = tail([one.next for one in self._partitions], pairs) if pairs else b""
        return text(self._head + nexts + pending)

    def holds(self, partition: int, offset: int) -> bool:
        """Say whether that event has still to be sent, and positions have not passed it."""
        return offset in self._partitions[partition].pending

    @property
    def waiting(self) -> int:
        """How many events wait, without those that are set aside."""
        return sum(len(one.pending) for one in self._partitions)

    @property
    def aside(self) -> Collection[Change]:
        """What is set aside."""
        return self._aside.all()

    @property
    def waits(self) -> bool:
        """Whether there is anything whose document is not there yet, aside or not."""
        return bool(self._notes)
