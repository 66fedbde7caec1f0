"""Recompute documents from the events, and report every difference from what is stored."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Final, NamedTuple

from notes_query.errors import Undecodable
from notes_query.projecting.pending import ForkKey
from notes_query.projecting.project_events import decode_event
from notes_query.projections.folding import same_where_known
from notes_query.projections.read_model import ReadModel, note_of, partitions_of
from notes_query.rebuilding.builds import Build
from notes_query.rebuilding.expected import Entries, FoldedDocuments, Suspects, make_expected
from notes_query.rebuilding.stored_documents import StoredDocuments
from notes_query.rebuilding.topic_offsets import TopicOffsets

CHUNK: Final = 1000
ROUNDS: Final = 5
ROUND_S: Final = 0.2
"""What differs is looked at again so often: the documents go on while they are verified."""
COMMITTED_S: Final = 30.0
_UNKNOWN_IF_NONE: Final = ("event_id", "parked")
_HOW_IT_CAME: Final = frozenset({"event_id", "ids", "snapshot"})
"""Which records have made a document. The topic may tell less of that by now: its beginning is gone, or a snapshot has
healed a gap that is none any more."""

Document = Mapping[str, Any]
Expected = FoldedDocuments | Entries


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

    `unverifiable`: ids whose first events the topic does not hold any more, and `late`, those of which nobody has
    stored the last ones. `stopped`: notes that are folded no further, since the topic has two histories of them.
    """

    documents: int = 0
    events: int = 0
    differences: list[Difference] = field(default_factory=list)
    unverifiable: list[str] = field(default_factory=list)
    late: list[str] = field(default_factory=list)
    stopped: list[str] = field(default_factory=list)
    repaired: int = 0


@dataclass(slots=True)
class Verify:
    """Verifies one read model of one build, partition by partition, while it goes on being fed.

    Needs memory for the documents of one partition, and for the ids of all.
    """

    topic: TopicOffsets
    stored: StoredDocuments

    async def __call__(self, read_model: ReadModel, build: Build, *, repair: bool) -> Report:
        """Return what was found. Raises StoreUnavailable, TopicUnavailable."""
        one = _Verification(self, read_model, build, repair, await self.stored.disregarded())
        one.beginnings = await self.topic.beginnings()
        one.stored_to = await one.committed()
        seen = set[str]()
        for partition in sorted(one.beginnings):
            seen.update(await one.compare(partition))
        await one.look_for_others(seen)
        return one.report


@dataclass(slots=True)
class _Verification:
    """That of one read model of one build. `stored_to`: every event before that, by partition, was stored by then."""

    verify: Verify
    read_model: ReadModel
    build: Build
    repair: bool
    disregarded: Collection[ForkKey]
    beginnings: Mapping[int, int] = field(default_factory=dict)
    stored_to: Mapping[int, int] = field(default_factory=dict)
    report: Report = field(default_factory=Report)

    @property
    def collection(self) -> str:
        return self.build.collection(self.read_model.name)

    async def committed(self) -> dict[int, int]:
        """Return up to where all is stored, by partition: documents are stored before the offsets are committed."""
        committed = await self.verify.topic.committed(self.build.group)
        return {at: max(beginning, committed.get(at, 0)) for at, beginning in self.beginnings.items()}

    async def compare(self, partition: int) -> Collection[str]:
        """Compare what the events of a partition make with what is stored; return the ids of these documents."""
        expected = make_expected(self.read_model)
        offsets = range(self.beginnings[partition], self.stored_to[partition])
        self.report.events += await self._read(expected, partition, offsets)
        ids, suspects = list({**expected.documents, **expected.waiting}), list[str]()
        for start in range(0, len(ids), CHUNK):
            chunk = ids[start : start + CHUNK]
            there = await self.verify.stored.load(self.collection, chunk)
            suspects += [id_ for id_ in chunk if self._differs(there.get(id_), expected.documents.get(id_))]
        await self._settle(expected, {partition}, suspects)
        self.report.documents += len(ids)
        self.report.stopped += expected.stopped()
        return ids

    async def look_for_others(self, seen: Collection[str]) -> None:
        """Look at the other documents: events have made them meanwhile, or none has."""
        ids = [id_ async for chunk in self.verify.stored.ids(self.collection) for id_ in chunk if id_ not in seen]
        expected = make_expected(self.read_model)
        await self._settle(expected, {at for id_ in ids for at in self._partitions_of(id_)}, ids)
        self.report.documents += sum(id_ in expected.documents for id_ in ids)
        self.report.stopped += expected.stopped()

    async def _settle(self, expected: Expected, partitions: Collection[int], ids: Sequence[str]) -> None:
        """Look again at documents that seem to differ, with the events that have come meanwhile; report what does.

        Not before all is stored that had come at the first look: a document may say that it is older than it is.
        """
        suspects: Suspects = dict.fromkeys(ids)
        rounds, until, first, late = 0, monotonic() + COMMITTED_S, dict[int, int](), True
        while suspects and (rounds < ROUNDS or (late and monotonic() < until)):
            await asyncio.sleep(ROUND_S if rounds else 0)
            rounds += 1
            committed = await self.committed()
            suspects = dict.fromkeys(suspects) | await self.verify.stored.load(self.collection, list(suspects))
            ends = await self.verify.topic.ends()
            for at in sorted(partitions):
                await self._read(expected, at, range(self.stored_to[at], ends[at]), suspects, committed[at])
            made = expected.documents
            suspects = {id_: stored for id_, stored in suspects.items() if self._differs(stored, made.get(id_))}
            first = first or ends
            late = not made.keys().isdisjoint(suspects) and any(committed[at] < first[at] for at in partitions)
        for id_, stored in suspects.items():
            await self._report(id_, stored, expected, late=late)

    async def _read(
        self, expected: Expected, at: int, offsets: range, suspects: Suspects | None = None, stored_to: int = 0
    ) -> int:
        """Fold the events of a partition, or those alone that these documents have taken; return how many were read.

        One that is not readable is a dead letter: what comes after it waits, as in the store.
        """
        number, is_in = 0, None if suspects is None else expected.is_in(suspects, stored_to)
        keys = None if suspects is None else {note_of(id_).encode() for id_ in suspects}
        async for records in self.verify.topic.read(at, offsets.start, offsets.stop):
            number += len(records)
            events = []
            for record in records:
                if keys is None or record.key is None or record.key.lower() in keys:
                    with suppress(Undecodable):
                        events.append(decode_event(record))
            expected.take(
                [
                    event
                    for event in events
                    if event.identity not in self.disregarded and (is_in is None or is_in(event))
                ]
            )
        return number

    async def _report(self, id_: str, stored: Document | None, expected: Expected, *, late: bool) -> None:
        document = expected.documents.get(id_)
        gone = id_ in expected.waiting or any(self.beginnings[at] > 0 for at in self._partitions_of(id_))
        if late or (gone and not self._tells(stored, document)):
            self.report.unverifiable.append(id_)
            self.report.late += [id_] if late else []
            return
        self.report.differences += differences(self.read_model.name, stored, document)
        if self.repair and await self.verify.stored.replace(self.collection, stored, _repaired(stored, document)):
            self.report.repaired += 1

    def _tells(self, stored: Document | None, expected: Document | None) -> bool:
        """Say whether what is left of the topic tells of a document: a snapshot does not tell of an event's entry."""
        if expected is None or stored is None or self.read_model.entry is None:
            return expected is not None
        return expected["event_id"] is not None or stored.get("event_id") is None

    def _differs(self, stored: Document | None, expected: Document | None) -> bool:
        return bool(differences(self.read_model.name, stored, expected))

    def _partitions_of(self, id_: str) -> set[int]:
        return partitions_of(note_of(id_), len(self.beginnings))


def _repaired(stored: Document | None, expected: Document | None) -> Document | None:
    """Return what to put in the place of a document. What it knows of its version's records stays where it is right."""
    differing = {one.field for one in differences("", stored, expected)}
    if stored is None or expected is None or "version" in differing:
        return expected
    return {**expected, **{name: stored[name] for name in _HOW_IT_CAME & stored.keys() & expected.keys() - differing}}


def differences(read_model: str, stored: Document | None, expected: Document | None) -> list[Difference]:
    """Return what differs, field by field."""
    if stored is None and expected is None:
        return []
    if stored is None or expected is None:
        document = expected if stored is None else stored
        return [Difference(str((document or {})["_id"]), read_model, None, stored, expected)]
    return [
        Difference(str(stored["_id"]), read_model, name, stored.get(name), expected.get(name))
        for name in sorted({*stored, *expected})
        if name != "snapshot"
        and stored.get(name) != expected.get(name)
        # None: a snapshot does not tell the id of the event that it stands for; outcomes may say more than events.
        and not (name in _UNKNOWN_IF_NONE and None in (stored.get(name), expected.get(name)))
        and not (name == "ids" and same_where_known(stored.get(name), expected.get(name)))
    ]
