"""Every index, made before its collection is written to."""

import asyncio
from collections.abc import Mapping
from typing import Any, Final

import structlog
from pymongo import IndexModel
from pymongo.errors import OperationFailure

from notes_query.errors import NotesQueryError, StoreUnavailable
from notes_query.mongo.database import Database
from notes_query.mongo.driver import driver_errors
from notes_query.monitoring import lag as progress
from notes_query.projecting import record_outcomes as outcomes
from notes_query.projections.read_model import ASCENDING, Index, Kept, ReadModel, parked_of
from notes_query.rebuilding import build_store as builds
from notes_query.repairing import ask_republish as republish_requests
from notes_query.repairing import dead_letter_store as dead_letters
from notes_query.repairing import missing_versions as versions

log = structlog.get_logger()

_BESIDE: Final = ("kind", "note_id", "version", "event_id", "at", "parked_at")
_PARKED: Final = (Index("beside", tuple((name, ASCENDING) for name in _BESIDE)),)
_INDEX_NOT_FOUND: Final = 27
_KEPT: Final = (
    outcomes.KEPT,
    *dead_letters.KEPT,
    *progress.KEPT,
    *versions.KEPT,
    *republish_requests.KEPT,
    *builds.KEPT,
)


async def create_indexes(database: Database) -> bool:
    """Create what is missing of the collections that have no builds, and drop what was replaced.

    Return whether all is there: a command can do without, and one collection holds up no other.
    """
    return all(await asyncio.gather(*(_create(database[kept.collection], kept) for kept in _KEPT)))


async def need_indexes(database: Database) -> None:
    """Do the same. Raises StoreUnavailable if not all is there."""
    if not await create_indexes(database):
        raise StoreUnavailable("MongoDB: not every index is there")


async def _create(collection: Any, kept: Kept) -> bool:
    try:
        with driver_errors():
            await collection.create_indexes([_model(index) for index in kept.indexes])
            for name in kept.replaced:
                await _drop(collection, name)
    except NotesQueryError as error:
        log.warning("indexes not made", collection=kept.collection, error=str(error), often=True)
        return False
    return True


async def _drop(collection: Any, name: str) -> None:
    try:
        await collection.drop_index(name)
    except OperationFailure as error:
        if error.code != _INDEX_NOT_FOUND:
            raise


async def create_build_indexes(database: Database, collections: Mapping[str, ReadModel]) -> None:
    """Create what is missing of a build's collections, by their names. Raises StoreUnavailable."""
    with driver_errors():
        for name, read_model in collections.items():
            if read_model.indexes:
                await database[name].create_indexes([_model(index) for index in read_model.indexes])
            if read_model.evolve is not None:
                await database[parked_of(name)].create_indexes([_model(index) for index in _PARKED])


def _model(index: Index) -> IndexModel:
    options = {
        "expireAfterSeconds": index.expire_after_s,
        "weights": dict(index.weights) or None,
        "default_language": index.language,
        "partialFilterExpression": dict(index.partial) or None,
    }
    given = {name: value for name, value in options.items() if value is not None}
    return IndexModel(list(index.keys), name=index.name, **given)
