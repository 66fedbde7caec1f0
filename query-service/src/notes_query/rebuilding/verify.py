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
from notes_query.rebuilding.expected import Expected, make_expected
from notes_query.rebuilding.stored_documents import StoredDocuments
from notes_query.rebuilding.topic_offsets import TopicOffsets
from notes_query.rebuilding.topic_reader import KafkaTopicReader

CHUNK: Final = 1000
ROUNDS: Final = 10
ROUND_S: Final = 0.2
"""What differs is looked at again so often: the documents go on while they are verified."""
COMMITTED_S: Final = 30.0
_UNKNOWN_IF_NONE: Final = ("event_id", "parked", "snapshot")


class Difference(NamedTuple):
    """A field that is stored otherwise than the events say; `field` is null where the whole document is the matter.

    `expected` null: no event made this document. `stored` null: it is missing.
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
    further, since the topic has two histories of them. `disregarded`: forks that count for nothing.
    """

    documents: int = 0
    events: int = 0
    differences: list[Difference] = field(default_factory=list)
    unverifiable: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    disregarded: Collection[ForkKey] = ()
    repaired: int = 0


@dataclass(slots=True)
class Verify:
    """Verifies one read model of one build, partition by partition, while it goes on being fed.

    `partitions_of` returns where a note's records may be on a topic with that many partitions. Needs memory for the
    documents of one partition, and for the ids of all.
    """

    topic: TopicOffsets
    reader: KafkaTopicReader
    stored: StoredDocuments
    partitions_of: Callable[[str, int], set[int]]
    show: Callable[[Report], None] = lambda _: None

    async def __call__(self, read_model: ReadModel, build: Build, *, repair: bool) -> Report:
        """Return what was found. Raises StoreUnavailable, TopicUnavailable."""
        report = Report(disregarded=await self.stored.disregarded())
        work = build.collection(read_model.name)
        seen: set[str] = set()
        beginnings, committed = await self.topic.beginnings(), await self.topic.committed(build.group)
        for partition, beginning in sorted(beginnings.items()):
            end = committed.get(partition, beginning)
            one = _Partition(self, read_model, build, partition, beginning=beginning, report=report)
            await one.read(end)
            await self._compare(one, work, seen, repair=repair)
            report.stopped += one.expected.stopped()
            self.show(report)
        await self._invented(read_model, build, work, seen, report, repair=repair)
        return report

    async def _compare(self, one: "_Partition", collection: str, seen: set[str], *, repair: bool) -> None:
        ids = one.expected.ids()
        seen.update(ids)
        one.report.documents += len(ids)
        suspects: list[str] = []
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            there = await self.stored.load(collection, chunk)
            suspects += [id_ for id_ in chunk if one.differs(id_, there.get(id_))]
        for _ in range(ROUNDS):
            if not suspects:
                return
            there = await self.stored.load(collection, suspects)
            await one.go_on(suspects)
            suspects = [id_ for id_ in suspects if one.differs(id_, there.get(id_))]
            await asyncio.sleep(ROUND_S if suspects else 0)
        late = not await one.until_committed()
        there = await self.stored.load(collection, suspects)
        await one.go_on(suspects)
        for id_ in suspects:
            stored, expected = there.get(id_), one.expected.get(id_)
            if not one.differs(id_, stored):
                continue
            if late or (expected is None and one.expected.incomplete(id_)):
                one.report.unverifiable.append(id_)
                continue
            await self._report(one.report, one.read_model.name, collection, stored, expected, repair=repair)

    async def _report(
        self,
        report: Report,
        read_model: str,
        collection: str,
        stored: Mapping[str, Any] | None,
        expected: Mapping[str, Any] | None,
        *,
        repair: bool,
    ) -> None:
        report.differences += differences(read_model, stored, expected)
        if repair and await self.stored.replace(collection, stored, expected):
            report.repaired += 1

    async def _invented(
        self, read_model: ReadModel, build: Build, collection: str, seen: set[str], report: Report, *, repair: bool
    ) -> None:
        """Look for documents that no event made; those that were made meanwhile have events by now."""
        strange = [id_ async for chunk in self.stored.ids(collection) for id_ in chunk if id_ not in seen]
        # Not to where the group has committed: a document is stored before the offset of its event is.
        beginnings, ends = await self.topic.beginnings(), await self.topic.ends()
        by_partition: dict[int, list[str]] = {}
        for id_ in strange:
            for partition in self.partitions_of(id_.partition(":")[0], len(ends)):
                by_partition.setdefault(partition, []).append(id_)
        made, unclear = set[str](), set[str]()
        for partition, ids in by_partition.items():
            copy = Report(disregarded=report.disregarded)
            again = _Partition(self, read_model, build, partition, beginning=beginnings[partition], report=copy)
            await again.read(ends[partition])
            made.update(id_ for id_ in ids if again.expected.get(id_) is not None)
            unclear.update(id_ for id_ in ids if again.expected.incomplete(id_) or beginnings[partition] > 0)
        report.documents += len(made)
        report.unverifiable += [id_ for id_ in strange if id_ in unclear - made]
        for id_ in strange:
            if id_ not in made | unclear:
                stored = (await self.stored.load(collection, [id_])).get(id_)
                await self._report(report, read_model.name, collection, stored, None, repair=repair)


class _Partition:
    """The documents that the events of one partition make, as far as they were read."""

    def __init__(
        self, verify: Verify, read_model: ReadModel, build: Build, partition: int, *, beginning: int, report: Report
    ) -> None:
        self.read_model = read_model
        self.report = report
        self.expected: Expected = make_expected(read_model, report.disregarded)
        self._verify = verify
        self._build = build
        self._partition = partition
        self._beginning = self._read_to = beginning

    async def read(self, end: int) -> None:
        if end <= self._read_to:
            return
        async for records in self._verify.reader.read(self._partition, self._read_to, end):
            self.report.events += len(records)
            self.expected.take(records)
        self._read_to = end

    async def go_on(self, suspects: Sequence[str]) -> None:
        """Read on to where the topic ends by now: what is stored is neither later than that, nor just as late."""
        self.expected.watch(suspects)
        await self.read((await self._verify.topic.ends())[self._partition])

    async def until_committed(self) -> bool:
        """Wait until the group has stored all that was read here; False if it does not come to that."""
        until = monotonic() + COMMITTED_S
        while monotonic() < until:
            committed = await self._verify.topic.committed(self._build.group)
            if committed.get(self._partition, self._beginning) >= self._read_to:
                return True
            await asyncio.sleep(ROUND_S)
        return False

    def differs(self, id_: str, stored: Mapping[str, Any] | None) -> bool:
        expected = self.expected.get(id_, None if stored is None else stored["version"])
        return bool(differences(self.read_model.name, stored, expected))


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
        # Null: a snapshot does not tell the id of the event that it stands for; outcomes may say more than events.
        and not (name in _UNKNOWN_IF_NONE and None in (stored.get(name), expected.get(name)))
        and not (name == "ids" and same_where_known(stored.get(name), expected.get(name)))
    ]
