"""How far each consumer group is behind its topic: kept for every instance to see, and told to whoever asks."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from pymongo import ReplaceOne

from notes_chassis.kafka.lag import EPOCH, Progress
from notes_query.mongo.database import Database
from notes_query.mongo.driver import bulk_write, driver_errors
from notes_query.projections.read_model import ASCENDING, Index, Kept

FRESH: Final = timedelta(seconds=12)
"""Whoever feeds a group says so at least every SAY_AGAIN; with some room, who is silent longer is not there."""
PROGRESS: Final = "progress"
KEPT_S: Final = 24 * 60 * 60
KEPT: Final = (
    Kept(
        PROGRESS,
        (
            Index("by_group", (("group", ASCENDING),)),
            # Groups of builds that were dropped.
            Index("expiry", (("at", ASCENDING),), expire_after_s=KEPT_S),
        ),
    ),
)


class ProgressStore:
    """The progress of all groups, one document for each partition. Every method raises StoreUnavailable."""

    def __init__(self, database: Database) -> None:
        self._progress = database[PROGRESS]

    async def save(self, seen: Iterable[Progress]) -> None:
        """Keep these in the place of older ones of their partitions."""
        documents = [{"_id": f"{one.group}:{one.partition}", **one._asdict()} for one in seen]
        if documents:
            await bulk_write(
                self._progress, [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]
            )

    async def of(self, *groups: str) -> list[Progress]:
        """Return what is known of groups, one for each partition of each."""
        with driver_errors():
            found = await self._progress.find({"group": {"$in": groups}}, {"_id": 0}).to_list(None)
        return [Progress(*map(document.get, Progress._fields)) for document in found]


class StoredOffsets:
    """Marks of a group, one document beside its progress, which does not expire. Raises StoreUnavailable."""

    def __init__(self, database: Database, group: str) -> None:
        self._progress = database[PROGRESS]
        self._group = group
        self._id = f"stored:{group}"

    async def read(self) -> dict[int, int]:
        """Return how far the group is; its progress tells what an instance of the release before has stored."""
        query = {"$or": [{"_id": self._id}, {"group": self._group}]}
        offsets: dict[int, int] = {}
        with driver_errors():
            async for document in self._progress.find(query):
                told = document.get("offsets") or {document.get("partition", 0): document.get("position", 0)}
                offsets |= {int(at): max(offset, offsets.get(int(at), 0)) for at, offset in told.items()}
        return offsets

    async def write(self, offsets: Mapping[int, int]) -> None:
        """Keep these, of some partitions."""
        told = {f"offsets.{at}": offset for at, offset in offsets.items()}
        with driver_errors():
            await self._progress.update_one({"_id": self._id}, {"$set": told}, upsert=True)

    async def forget(self) -> None:
        """Let go of a group that is not fed any more."""
        with driver_errors():
            await self._progress.delete_one({"_id": self._id})


async def look_together(
    several: Iterable["Freshness"], store: ProgressStore, fed_here: Callable[[str], Collection[Progress]] = lambda _: ()
) -> None:
    """Read anew, for all in one question. Raises StoreUnavailable; what was known stays.

    `fed_here` returns what this process knows by itself of a group: nothing is asked for where that is all partitions.
    """
    unknown = dict[Freshness, str]()
    for one in several:
        group = one.group()
        own = () if group is None else of_partitions(one.partitions(), fed_here(group))
        if group is None or len(own) >= one.partitions():
            one.saw(group, list(own))
        else:
            unknown[one] = group
    if unknown:
        seen = await store.of(*set(unknown.values()))
        for one, group in unknown.items():
            one.saw(group, [progress for progress in seen if progress.group == group])


def of_partitions(partitions: int, seen: Iterable[Progress]) -> list[Progress]:
    """Return what is told of partitions that the topic has: one made anew may have fewer than were told of."""
    return [progress for progress in seen if progress.partition < partitions]


@dataclass(slots=True, eq=False)
class Freshness:
    """What one instance knows of it. `group`: the consumer group that feeds the served documents, None for nobody.

    `partitions`: how many the topic has, by the last look: it may have been made with another number, or get more.
    """

    group: Callable[[], str | None]
    partitions: Callable[[], int]
    clock: Callable[[], datetime]
    _seen: list[Progress] = field(default_factory=list)
    _seen_of: str | None = None

    def saw(self, group: str | None, seen: list[Progress]) -> None:
        """Note what was read of the group that feeds the served documents."""
        self._seen, self._seen_of = seen, group

    def seconds(self) -> float | None:
        """Return for how many seconds what is written may not be readable yet, by the last look.

        None: not known, nobody has fed it all. Where whoever feeds it is silent, nothing is known of what was written
        since.
        """
        seen, now = of_partitions(self.partitions(), self._seen), self.clock()
        if len(seen) < self.partitions() or any(one.through == EPOCH for one in seen):
            return None
        late = [now - one.through for one in seen if one.records or now - one.at > FRESH]
        return max((seconds.total_seconds() for seconds in late), default=0.0)

    def through(self) -> datetime | None:
        """Return the time before which all that was written is readable, by the last look. None: not known.

        That other documents are served since the last look is one reason.
        """
        seen = of_partitions(self.partitions(), self._seen)
        if len(seen) < self.partitions() or self._seen_of != self.group():
            return None
        oldest = min((one.through for one in seen), default=EPOCH)
        return None if oldest == EPOCH else oldest
