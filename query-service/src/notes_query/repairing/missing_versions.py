"""Versions that outcomes have announced, and those of them that did not come.

A missing version with a later one behind it is noticed by the fold. Nothing comes behind the last one; but the outcome
of its command said which version it made.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from struct import Struct
from typing import Annotated, Any, Final, NamedTuple
from uuid import UUID, uuid4

import structlog
from pydantic import PlainSerializer
from pymongo import DeleteOne, UpdateOne

from notes_contracts.ids import Id
from notes_contracts.times import Timestamp, format_time
from notes_query.errors import Building
from notes_query.mongo.database import MISSING_VERSIONS, Database
from notes_query.mongo.driver import bulk_write, driver_errors, insert_missing
from notes_query.monitoring import metrics
from notes_query.projections.read_model import ASCENDING, Index, Kept, Serving

log = structlog.get_logger()

AWAITED: Final = "awaited_versions"
KEPT: Final = (
    Kept(
        AWAITED,
        (
            Index("by_due", (("due", ASCENDING), ("claimed_until", ASCENDING))),
            Index("by_claim", (("claim", ASCENDING),)),
        ),
    ),
    Kept(MISSING_VERSIONS, (Index("by_age", (("since", ASCENDING), ("_id", ASCENDING))),)),
)
BATCHES: Final = 200
NOTES: Final = 5_000
"""Batches looked at together: so many at most, and none more once they announce that many notes."""
LEASE: Final = timedelta(minutes=1)
LOOKED_AT: Final = 1_000
"""Missing versions that are looked at again in one step; the next step goes on with the next ones."""
_PAIR: Final = Struct(">16sq")


class Level(NamedTuple):
    """What a note's document holds."""

    version: int
    parked: bool


Moment = Annotated[datetime, PlainSerializer(format_time, return_type=Timestamp)]
"""A time that is shown in the system's form."""


@dataclass(frozen=True, slots=True)
class MissingVersion:
    """The version that an outcome has announced and that did not come, since when it was due."""

    note_id: Id
    version: int
    since: Moment


class MongoAwaitedVersions:
    """Versions that accepted outcomes have announced, in batches. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._awaited = database[AWAITED]

    async def expect(self, batch: str, versions: Mapping[str, int], due: datetime) -> None:
        """Keep what a batch announces: the highest version by note. The same batch again changes nothing."""
        packed = b"".join(_PAIR.pack(bytes.fromhex(id_.replace("-", "")), at) for id_, at in versions.items())
        free = {"due": due, "claimed_until": due, "claim": None}
        await insert_missing(self._awaited, [{"_id": batch, **free, "notes": len(versions), "versions": packed}])

    async def claim(self, now: datetime, until: datetime) -> tuple[str, dict[str, int]]:
        """Take some batches that are due, for oneself until then; return the claim and what they announce together."""
        claim = uuid4().hex
        free = {"due": {"$lte": now}, "claimed_until": {"$lte": now}}
        with driver_errors():
            ready = await self._awaited.find(free, {"notes": 1}, sort=[("due", 1)], limit=BATCHES).to_list(None)
            if not ready:
                return claim, {}
            totals = accumulate((item["notes"] for item in ready), initial=0)
            ids = [item["_id"] for item, before in zip(ready, totals, strict=False) if before < NOTES]
            wanted = {"_id": {"$in": ids}, **free}
            await self._awaited.update_many(wanted, {"$set": {"claim": claim, "claimed_until": until}})
            found = await self._awaited.find({"claim": claim}).to_list(None)
        versions: dict[str, int] = {}
        for document in found:
            for raw, version in _PAIR.iter_unpack(document["versions"]):
                note_id = str(UUID(bytes=raw))
                versions[note_id] = max(version, versions.get(note_id, 0))
        return claim, versions

    async def done(self, claim: str) -> None:
        """Forget the batches of a claim."""
        with driver_errors():
            await self._awaited.delete_many({"claim": claim})


class MissingVersions:
    """Versions that did not come in time. Raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._missing = database[MISSING_VERSIONS]

    async def add(self, versions: Mapping[str, int], since: datetime) -> None:
        """Keep these; of a note that is there already the higher version, and since when it was first missed."""
        operations: list[Any] = [
            UpdateOne({"_id": note_id}, {"$max": {"version": version}, "$setOnInsert": {"since": since}}, upsert=True)
            for note_id, version in versions.items()
        ]
        if taken := (await bulk_write(self._missing, operations)).taken:  # of two upserts of a note at once, the later
            await bulk_write(self._missing, [operations[place] for place in taken])

    async def oldest(self, limit: int) -> list[MissingVersion]:
        """Return some, those that are missed for longest first."""
        return await self._find({}, sort=[("since", 1), ("_id", 1)], limit=limit)

    async def page(self, after: str, limit: int) -> list[MissingVersion]:
        """Return those of the notes after this id, by id."""
        return await self._find({"_id": {"$gt": after}}, sort=[("_id", 1)], limit=limit)

    async def of(self, note_ids: Collection[str]) -> list[MissingVersion]:
        """Return those of these notes."""
        return await self._find({"_id": {"$in": list(note_ids)}})

    async def _find(self, wanted: Mapping[str, Any], **options: Any) -> list[MissingVersion]:
        with driver_errors():
            found = await self._missing.find(wanted, **options).to_list(None)
        return [MissingVersion(item["_id"], item["version"], item["since"]) for item in found]

    async def found(self, reached: Mapping[str, int]) -> None:
        """Forget the notes that have reached these versions, unless a higher one is missed."""
        gone = [DeleteOne({"_id": note_id, "version": {"$lte": version}}) for note_id, version in reached.items()]
        await bulk_write(self._missing, gone)

    async def forget(self, note_ids: Collection[str]) -> None:
        """Forget these, whatever their documents hold."""
        with driver_errors():
            await self._missing.delete_many({"_id": {"$in": list(note_ids)}})

    async def count(self) -> int:
        """Return how many notes miss their last version."""
        with driver_errors():
            return int(await self._missing.count_documents({}))


class NoteLevels:
    """The documents that readers get. Raises StoreUnavailable, Building."""

    def __init__(self, database: Database, serving: Serving) -> None:
        self._database = database
        self._missing = database[MISSING_VERSIONS]
        self._serving = serving

    async def of(self, note_ids: Collection[str]) -> dict[str, Level]:
        """Return what is stored, in one query."""
        notes = self._database[self._serving.collection("notes")]
        with driver_errors():
            found = await notes.find({"_id": {"$in": list(note_ids)}}, {"version": 1, "parked": 1}).to_list(None)
        return {item["_id"]: Level(item["version"], item["parked"]) for item in found}

    async def park(self, versions: Mapping[str, int]) -> None:
        """Mark the documents that are at these versions, of notes that miss one still: something is missing.

        One transaction writes to both: whoever forgets a missing version has done so, or takes the mark away after it.
        """
        notes, these = self._database[self._serving.collection("notes")], {"_id": {"$in": list(versions)}}

        async def work(session: Any) -> bool:
            await self._missing.update_many(these, {"$inc": {"marked": 1}}, session=session)
            still = await self._missing.distinct("_id", these, session=session)
            marks = [UpdateOne({"_id": id_, "version": versions[id_]}, {"$set": {"parked": True}}) for id_ in still]
            if marks:
                await notes.bulk_write(marks, ordered=False, session=session)
            return bool(marks)

        await self._database.transaction(work)


@dataclass(slots=True)
class AwaitVersions:
    """Any number of instances may look; a claim keeps them from looking at the same.

    `stored_through`: whatever was written to the topic of events before that time is in the served documents; None: not
    known. While it is behind, a late version is not a gap.
    """

    awaited: MongoAwaitedVersions
    missing: MissingVersions
    levels: NoteLevels
    stored_through: Callable[[], datetime | None]
    clock: Callable[[], datetime]
    _after: str = ""

    async def __call__(self) -> bool:
        """Take one step; return whether there may be more to do at once. Raises StoreUnavailable."""
        try:
            await self._look_again()
            through = self.stored_through()
            return through is not None and await self._take(through)
        except Building:
            return False

    async def _take(self, through: datetime) -> bool:
        """Look at what was due before everything that is stored, so that lag is not taken for a gap."""
        now = self.clock()
        claim, versions = await self.awaited.claim(min(through, now), now + LEASE)
        if not versions:
            return False
        levels = await self.levels.of(versions)
        late = {note_id: version for note_id, version in versions.items() if _below(levels.get(note_id), version)}
        if late:
            await self.missing.add(late, now)
            await self._park(late, levels)
            for note_id, version in late.items():
                log.error("a version is missing", note_id=note_id, version=version)
        await self.awaited.done(claim)
        return True

    async def _look_again(self) -> None:
        """Forget what has come; mark what has not, since a repeat or a new build takes the mark away."""
        missed = {one.note_id: one.version for one in await self.missing.page(self._after, LOOKED_AT)}
        are_all = not self._after and len(missed) < LOOKED_AT
        metrics.MISSING_VERSIONS.set(len(missed) if are_all else await self.missing.count())
        self._after = max(missed) if len(missed) == LOOKED_AT else ""
        if not missed:
            return
        levels = await self.levels.of(missed)
        late = {note_id: version for note_id, version in missed.items() if _below(levels.get(note_id), version)}
        await self._park(late, levels)
        if reached := {note_id: version for note_id, version in missed.items() if note_id not in late}:
            await self.missing.found(reached)
            log.info("missing versions have come", notes=len(reached))

    async def _park(self, late: Collection[str], levels: Mapping[str, Level]) -> None:
        unmarked = {id_: levels[id_].version for id_ in late if id_ in levels and not levels[id_].parked}
        if unmarked:
            await self.levels.park(unmarked)


def _below(level: Level | None, version: int) -> bool:
    return level is None or level.version < version
