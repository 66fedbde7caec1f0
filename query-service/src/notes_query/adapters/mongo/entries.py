"""Documents of a shape with one for each event, as the projector writes them."""

from collections.abc import Mapping, Sequence
from typing import Any

from notes_query.adapters.mongo.bulk import insert_missing
from notes_query.adapters.mongo.database import Database


class MongoEntryStore:
    """The projector's store of one such shape in one generation, which is one collection."""

    def __init__(self, database: Database, collection: str) -> None:
        self._documents = database[collection]

    async def add(self, entries: Sequence[Mapping[str, Any]]) -> None:
        """See EntryStore."""
        await insert_missing(self._documents, entries)
