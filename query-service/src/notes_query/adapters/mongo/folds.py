"""Documents of a folded shape and the events that wait for a missing version, as the projector writes them."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from pymongo import InsertOne, UpdateOne

from notes_query.adapters.mongo.bulk import bulk_write, insert_missing
from notes_query.adapters.mongo.database import Database
from notes_query.adapters.mongo.failures import driver_errors
from notes_query.adapters.mongo.records import parked_event, parked_id, stored_record
from notes_query.application.fold_batch import Mark, Writes
from notes_query.application.ports import Parked
from notes_query.application.serving import parked_of
from notes_query.projections.shape import Folded


class MongoFoldStore:
    """The projector's store of one shape in one generation, which is one collection and that of its waiting events."""

    def __init__(self, database: Database, collection: str) -> None:
        self._documents = database[collection]
        self._parked = database[parked_of(collection)]

    async def load(
        self, note_ids: Collection[str], unseen: Collection[str] = ()
    ) -> tuple[dict[str, Folded], list[Parked]]:
        """See FoldStore."""
        ids = list(note_ids)
        with driver_errors():
            documents, waiting = await asyncio.gather(
                self._find([id_ for id_ in ids if id_ not in unseen]),
                self._parked.find({"kind": "gap", "note_id": {"$in": ids}}).to_list(None),
            )
        return (
            {document["_id"]: document for document in documents},
            [Parked(item["note_id"], item["version"], stored_record(item)) for item in waiting],
        )

    async def _find(self, ids: Sequence[str]) -> list[Folded]:
        if not ids:
            return []
        found: list[Folded] = await self._documents.find({"_id": {"$in": ids}}, batch_size=len(ids) + 1).to_list(None)
        return found

    async def write(self, writes: Writes) -> set[str]:
        """See FoldStore.

        Waiting events are there before anything else changes and go after their documents are written, so that stopping
        between any two of these writes loses nothing: the offsets are not committed, and the batch comes again.
        """
        await self._park(writes)
        taken = await self._store(writes)
        await self._unpark([(note_id, version) for note_id, version in writes.unparks if note_id not in taken])
        return taken

    async def _park(self, writes: Writes) -> None:
        parks = [parked_event(event, "gap") for event in writes.parks]
        parks += [parked_event(event, "fork") for event in writes.forks]
        if parks:
            await insert_missing(self._parked, parks)

    async def _store(self, writes: Writes) -> set[str]:
        operations: list[Any] = [InsertOne(document) for document in writes.inserts]
        operations += map(_guarded_replace, writes.replaces)
        operations += map(_guarded_mark, writes.marks)
        if not operations:
            return set()
        return {writes.inserts[place]["_id"] for place in await bulk_write(self._documents, operations)}

    async def _unpark(self, unparks: Sequence[tuple[str, int]]) -> None:
        if unparks:
            ids = [parked_id(note_id, version) for note_id, version in unparks]
            with driver_errors():
                await self._parked.delete_many({"_id": {"$in": ids}})

    async def waiting_notes(self, limit: int) -> list[str]:
        """See FoldStore."""
        pipeline = [
            {"$match": {"kind": "gap"}},
            {"$group": {"_id": "$note_id"}},
            {"$limit": limit},
        ]
        with driver_errors():
            return [item["_id"] async for item in self._parked.aggregate(pipeline)]

    async def count_parked(self) -> tuple[int, int]:
        """See FoldStore."""
        with driver_errors():
            gaps = await self._parked.count_documents({"kind": "gap"})
            forks = await self._parked.count_documents({"kind": "fork"})
        return gaps, forks


def _guarded_replace(document: Mapping[str, Any]) -> UpdateOne:
    """Return a replace that changes nothing if the stored document is as new, or newer.

    The guard is not in the filter: one by `_id` alone is the only one that MongoDB does not plan for each document
    anew, which is half of the cost of a replace.
    """
    newer = {"$lt": ["$version", document["version"]]}
    return UpdateOne({"_id": document["_id"]}, [{"$replaceWith": {"$cond": [newer, {"$literal": document}, "$$ROOT"]}}])


def _guarded_mark(mark: Mark) -> UpdateOne:
    """Return an update that finds nothing if the document has moved on: whoever moved it has marked it."""
    return UpdateOne({"_id": mark.note_id, "version": mark.version}, {"$set": {"parked": mark.parked}})
