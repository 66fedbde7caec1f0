"""How far each consumer group is behind its topic, stored so that every instance can see it."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Final

from pymongo import ReplaceOne

from notes_chassis.kafka.lag import EPOCH, Progress
from notes_chassis.kafka.offsets import metadata_of, of_another_topic
from notes_query.mongo.database import Database
from notes_query.mongo.driver import bulk_write, driver_errors
from notes_query.projections.read_model import ASCENDING, Index, Kept

FRESH: Final = timedelta(seconds=12)
"""Who feeds a group stores its progress at least every SAY_AGAIN. If it is older than this, nobody feeds the group."""
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
        """Replace what is stored of these partitions."""
        documents = [{"_id": f"{progress.group}:{progress.partition}", **progress._asdict()} for progress in seen]
        if documents:
            await bulk_write(
                self._progress, [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]
            )

    async def of(self, *groups: str) -> list[Progress]:
        """Return what is stored of these groups: one Progress for each partition."""
        with driver_errors():
            found = await self._progress.find({"group": {"$in": groups}}, {"_id": 0}).to_list(None)
        return [Progress(*map(document.get, Progress._fields)) for document in found]


class StoredOffsets:
    """Marks of a group, one document beside its progress, which does not expire. Raises StoreUnavailable.

    Beside each offset is what Kafka has beside its own: the id of the topic.
    """

    def __init__(self, database: Database, group: str) -> None:
        self._progress = database[PROGRESS]
        self._group = group
        self._id = f"stored:{group}"

    async def read(self, topic_id: str) -> dict[int, int]:
        """Return how far the group is; its progress tells what an instance of the release before has stored."""
        query = {"$or": [{"_id": self._id}, {"group": self._group}]}
        marks: dict[str, dict[str, Any]] = {}
        told: dict[int, int] = {}
        with driver_errors():
            async for document in self._progress.find(query):
                if document["_id"] == self._id:
                    marks = document
                else:
                    told[document["partition"]] = document["position"]
        for at, offset in marks.get("offsets", {}).items():
            told[int(at)] = max(offset, told.get(int(at), 0))
            if of_another_topic(marks.get("topics", {}).get(at, ""), topic_id):
                del told[int(at)]  # what progress tells may be of that topic as well
        return told

    async def write(self, offsets: Mapping[int, int], topic_id: str) -> None:
        """Keep these, of some partitions."""
        told: dict[str, Any] = {f"offsets.{at}": offset for at, offset in offsets.items()}
        told |= {f"topics.{at}": metadata_of(topic_id) for at in offsets}
        with driver_errors():
            await self._progress.update_one({"_id": self._id}, {"$set": told}, upsert=True)

    async def forget(self) -> None:
        """Let go of a group that is not fed any more."""
        with driver_errors():
            await self._progress.delete_one({"_id": self._id})


async def look_together(
    several: Iterable["Freshness"], store: ProgressStore, fed_here: Callable[[str], Collection[Progress]] = lambda _: ()
) -> None:
    """Read the progress for all of `several` in one query. Raises StoreUnavailable; then they keep what they knew.

    `fed_here` returns what this process itself knows of a group. A group of which that is all partitions is not read.
    """
    unknown = dict[Freshness, str]()
    for freshness in several:
        group = freshness.group()
        own = () if group is None else of_partitions(freshness.partitions(), fed_here(group))
        if group is None or len(own) >= freshness.partitions():
            freshness.saw(group, list(own))
        else:
            unknown[freshness] = group
    if unknown:
        seen = await store.of(*set(unknown.values()))
        for freshness, group in unknown.items():
            freshness.saw(group, [progress for progress in seen if progress.group == group])


def of_partitions(partitions: int, seen: Iterable[Progress]) -> list[Progress]:
    """Return the progress of partitions that the topic has. A topic that was made anew may have fewer than before."""
    return [progress for progress in seen if progress.partition < partitions]


@dataclass(slots=True, eq=False)
class Freshness:
    """How fresh the served documents are, as this instance knows it.

    `group`: the consumer group that feeds them, None if there is none. `partitions`: how many the topic has now.
    """

    group: Callable[[], str | None]
    partitions: Callable[[], int]
    clock: Callable[[], datetime]
    _seen: list[Progress] = field(default_factory=list)
    _seen_of: str | None = None

    def saw(self, group: str | None, seen: list[Progress]) -> None:
        """Remember what was read of the group that feeds the served documents."""
        self._seen = seen
        self._seen_of = group

    def seconds(self) -> float | None:
        """Return the age in seconds of the oldest write that may not be readable yet, as of the last `saw`.

        None if it is not known, because not all partitions have been fed. A partition that nobody feeds any more counts
        from its last progress on.
        """
        seen, now = of_partitions(self.partitions(), self._seen), self.clock()
        if len(seen) < self.partitions() or any(progress.through == EPOCH for progress in seen):
            return None
        late = [now - progress.through for progress in seen if progress.records or now - progress.at > FRESH]
        return max((seconds.total_seconds() for seconds in late), default=0.0)

    def through(self) -> datetime | None:
        """Return the time before which all that was written can be read, as of the last `saw`.

        None if it is not known, for example because other documents are served since.
        """
        seen = of_partitions(self.partitions(), self._seen)
        if len(seen) < self.partitions() or self._seen_of != self.group():
            return None
        oldest = min((progress.through for progress in seen), default=EPOCH)
        return None if oldest == EPOCH else oldest
