"""How far each consumer group is, one document for each of its partitions."""

from collections.abc import Iterable
from typing import Final

from pymongo import ReplaceOne

from notes_chassis.kafka.lag import Progress
from notes_query.mongo.bulk import bulk_write
from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projections.shape import ASCENDING, Index, Kept

PROGRESS: Final = "progress"
KEPT_S: Final = 24 * 60 * 60
KEPT: Final = (
    Kept(
        PROGRESS,
        (
            Index("by_group", (("group", ASCENDING),)),
            # Groups of generations that were dropped.
            Index("expiry", (("at", ASCENDING),), expire_after_s=KEPT_S),
        ),
    ),
)


class MongoProgress:
    """ProgressStore."""

    def __init__(self, database: Database) -> None:
        self._progress = database[PROGRESS]

    async def save(self, seen: Iterable[Progress]) -> None:
        """See ProgressStore."""
        documents = [{"_id": f"{one.group}:{one.partition}", **one._asdict()} for one in seen]
        if documents:
            await bulk_write(
                self._progress, [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in documents]
            )

    async def of(self, group: str) -> list[Progress]:
        """See ProgressStore."""
        with driver_errors():
            found = await self._progress.find({"group": group}, {"_id": 0}).to_list(None)
        return [Progress(**document) for document in found]
