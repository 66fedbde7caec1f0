"""The versions of a note."""

from typing import Any, Final

from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projecting.ports import View
from notes_query.projecting.serving import Serving
from notes_query.reads.served import Served

_ENTRY: Final = {"_id": 0, "note_id": 0, "event_id": 0}


class MongoHistoryReader:
    """HistoryReader."""

    def __init__(self, database: Database, serving: Serving) -> None:
        self._served = Served(database.for_queries, serving)

    async def entries(self, note_id: str, after_version: int, limit: int) -> list[View]:
        """See HistoryReader."""
        with driver_errors():
            found: list[View] = await entries_query(self._served["history"], note_id, after_version, limit).to_list(
                None
            )
        return found


def entries_query(history: Any, note_id: str, after_version: int, limit: int) -> Any:
    """Return the cursor of a page of entries."""
    query = {"note_id": note_id, "version": {"$gt": after_version}}
    return history.find(query, _ENTRY, sort=[("version", 1)], limit=limit, batch_size=limit)
