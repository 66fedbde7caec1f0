"""Outcomes by command id, written once each."""

from collections.abc import Sequence

from notes_query.mongo.bulk import insert_missing
from notes_query.mongo.database import Database
from notes_query.mongo.failures import driver_errors
from notes_query.projections.outcome import KEPT, OutcomeDocument


class MongoOutcomeStore:
    """The outcomes' store."""

    def __init__(self, database: Database) -> None:
        self._outcomes = database[KEPT.collection]

    async def add(self, outcomes: Sequence[OutcomeDocument]) -> None:
        """See OutcomeStore."""
        await insert_missing(self._outcomes, outcomes)

    async def get(self, command_id: str) -> OutcomeDocument | None:
        """See OutcomeStore."""
        with driver_errors():
            found: OutcomeDocument | None = await self._outcomes.find_one({"_id": command_id})
        return found
