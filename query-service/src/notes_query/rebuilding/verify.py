"""Recompute documents from the events, and report every difference from what is stored."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, NamedTuple

from notes_query.projecting.pending import ForkKey
from notes_query.projections.applied_ids import same_where_known
from notes_query.projections.read_model import ReadModel
from notes_query.rebuilding.builds import Build
from notes_query.rebuilding.expected import make_expected
from notes_query.rebuilding.stored_documents import StoredDocuments
from notes_query.rebuilding.topic_offsets import TopicOffsets

CHUNK: Final = 1000
ROUNDS: Final = 10
ROUND_S: Final = 0.2
"""What differs is looked at again so often: the documents go on while they are verified."""
COMMITTED_S: Final = 30.0
_UNKNOWN_IF_NONE: Final = ("event_id", "parked", "snapshot")


class Difference(NamedTuple):
    """A field that is stored otherwise than the events say; `field` is None where the whole document is the matter.

    `expected` None: no event made this document. `stored` None: it is missing.
    """

    id: str
    read_model: str
    field: str | None
    stored: Any
    expected: Any


@dataclass(slots=True)
class Report:
    """What was found.

    `unverifiable`: ids whose first events the topic does not hold any more. `stopped`: notes that are folded no
    further, since the topic has two histories of them.
    """

    documents: int = 0
    events: int = 0
    differences: list[Difference] = field(default_factory=list)
    unverifiable: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    repaired: int = 0


@dataclass(slots=True)
class Verify:
    """Verifies one read model of one build, partition by partition, while it goes on being fed.

    `partitions_of` returns where a note's records may be on a topic with that many partitions. Needs memory for the
    documents of one partition, and for the ids of all.
    """

    topic: TopicOffsets
    stored: StoredDocuments
    partitions_of: Callable[[str, int], set[int]]
    show: Callable[[Report], None] = lambda _: None

    async def __call__(self, read_model: ReadModel, build: Build, *, repair: bool) -> Report:
        """Return what was found. Raises StoreUnavailable, TopicUnavailable."""
        found = _Verification(self, read_model, build, repair, await self.stored.disregarded())
        beginnings, committed = await self.topic.beginnings(), await self.topic.committed(build.group)
        for number, beginning in sorted(beginnings.items()):
            one = _Partition(found, number, beginning)
            await one.read(committed.get(number, beginning))
            await found.compare(one)
            self.show(found.report)
        await found.look_for_invented()
        return found.report


@dataclass(slots=True)
class _Verification:
    """That of one read model of one build. `seen`: the ids of all documents that the events speak of."""

    verify: Verify
    read_model: ReadModel
    build: Build
    repair: bool
    disregarded: Collection[ForkKey]
    report: Report = field(default_factory=Report)
    seen: set[str] = field(default_factory=set)

    @property
    def collection(self) -> str:
        return self.build.collection(self.read_model.name)

    async def compare(self, one: "_Partition") -> None:
        """Compare what the events of a partition make with what is stored."""
        load, report, ids = self.verify.stored.load, self.report, one.expected.ids()
        self.seen.update(ids)
        report.documents += len(ids)
        suspects: list[str] = []
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            there = await load(self.collection, chunk)
            suspects += [id_ for id_ in chunk if one.differs(id_, there.get(id_))]
        for _ in range(ROUNDS):
            if not suspects:
                break
            there = await load(self.collection, suspects)
            await one.go_on(suspects)
            suspects = [id_ for id_ in suspects if one.differs(id_, there.get(id_))]
            await asyncio.sleep(ROUND_S if suspects else 0)
        if suspects:
            late = not await one.until_committed()
            there = await load(self.collection, suspects)
            await one.go_on(suspects)
            for id_ in suspects:
                stored, expected = there.get(id_), one.expected.get(id_)
                if not one.differs(id_, stored):
                    continue
                if late or (expected is None and one.expected.incomplete(id_)):
                    report.unverifiable.append(id_)
                else:
                    await self._differs(stored, expected)
        report.events += one.events
        report.stopped += one.expected.stopped()

    async def _differs(self, stored: Mapping[str, Any] | None, expected: Mapping[str, Any] | None) -> None:
        self.report.differences += differences(self.read_model.name, stored, expected)
        if self.repair and await self.verify.stored.replace(self.collection, stored, expected):
            self.report.repaired += 1

    async def look_for_invented(self) -> None:
        """Look for documents that no event made; those that were made meanwhile have events by now."""
        unknown = [
            id_ async for chunk in self.verify.stored.ids(self.collection) for id_ in chunk if id_ not in self.seen
        ]
        # Not to where the group has committed: a document is stored before the offset of its event is.
        beginnings, ends = await self.verify.topic.beginnings(), await self.verify.topic.ends()
        by_partition: dict[int, list[str]] = {}
        for id_ in unknown:
            for partition in self.verify.partitions_of(id_.partition(":")[0], len(ends)):
                by_partition.setdefault(partition, []).append(id_)
        made, unclear = set[str](), set[str]()
        for partition, ids in by_partition.items():
            again = _Partition(self, partition, beginnings[partition])
            await again.read(ends[partition])
            made.update(id_ for id_ in ids if again.expected.get(id_) is not None)
            unclear.update(id_ for id_ in ids if again.expected.incomplete(id_) or beginnings[partition] > 0)
        self.report.documents += len(made)
        self.report.unverifiable += [id_ for id_ in unknown if id_ in unclear - made]
        for id_ in unknown:
            if id_ not in made | unclear:
                await self._differs((await self.verify.stored.load(self.collection, [id_])).get(id_), None)


class _Partition:
    """The documents that the events of one partition make, as far as they were read. `events`: how many those are."""

    def __init__(self, found: _Verification, number: int, beginning: int) -> None:
        self.expected = make_expected(found.read_model, found.disregarded)
        self.events = 0
        self._found = found
        self._number = number
        self._beginning = self._read_to = beginning

    async def read(self, end: int) -> None:
        if end <= self._read_to:
            return
        async for records in self._found.verify.topic.read(self._number, self._read_to, end):
            self.events += len(records)
            self.expected.take(records)
        self._read_to = end

    async def go_on(self, suspects: Sequence[str]) -> None:
        """Read on to where the topic ends by now: what is stored is neither later than that, nor just as late."""
        self.expected.watch(suspects)
        await self.read((await self._found.verify.topic.ends())[self._number])

    async def until_committed(self) -> bool:
        """Wait until the group has stored all that was read here; False if it does not come to that."""
        until = monotonic() + COMMITTED_S
        while monotonic() < until:
            committed = await self._found.verify.topic.committed(self._found.build.group)
            if committed.get(self._number, self._beginning) >= self._read_to:
                return True
            await asyncio.sleep(ROUND_S)
        return False

    def differs(self, id_: str, stored: Mapping[str, Any] | None) -> bool:
        expected = self.expected.get(id_, None if stored is None else stored["version"])
        return bool(differences(self._found.read_model.name, stored, expected))


def differences(
    read_model: str, stored: Mapping[str, Any] | None, expected: Mapping[str, Any] | None
) -> list[Difference]:
    """Return what differs, field by field."""
    if stored is None and expected is None:
        return []
    if stored is None or expected is None:
        document = expected if stored is None else stored
        return [Difference(str((document or {})["_id"]), read_model, None, stored, expected)]
    return [
        Difference(str(stored["_id"]), read_model, name, stored.get(name), expected.get(name))
        for name in sorted({*stored, *expected})
        if stored.get(name) != expected.get(name)
        # None: a snapshot does not tell the id of the event that it stands for; outcomes may say more than events.
        and not (name in _UNKNOWN_IF_NONE and None in (stored.get(name), expected.get(name)))
        and not (name == "ids" and same_where_known(stored.get(name), expected.get(name)))
    ]
