"""Every index, made at start if it is missing."""

from typing import Final

from pymongo import IndexModel

from notes_query.adapters.mongo.database import DEAD_LETTERS, PARKED, Database, away_is_unavailable
from notes_query.projections import SHAPES
from notes_query.projections.shape import ASCENDING, Index, Shape

DEAD_LETTERS_KEPT_S: Final = 30 * 24 * 60 * 60

_OWN: Final = (
    Shape(PARKED, (Index("by_note", (("kind", ASCENDING), ("note_id", ASCENDING), ("version", ASCENDING))),)),
    Shape(
        DEAD_LETTERS,
        (
            Index("unsent", (("sent_at", ASCENDING), ("claimed_until", ASCENDING))),
            # What is not sent has no date there, and stays.
            Index("expiry", (("sent_at", ASCENDING),), expire_after_s=DEAD_LETTERS_KEPT_S),
        ),
    ),
)


async def create_indexes(database: Database) -> None:
    """Create what is missing. Raises StoreUnavailable."""
    with away_is_unavailable():
        for shape in (*SHAPES.values(), *_OWN):
            await database[shape.collection].create_indexes([_model(index) for index in shape.indexes])


def _model(index: Index) -> IndexModel:
    keys = list(index.keys)
    if index.expire_after_s is None:
        return IndexModel(keys, name=index.name)
    return IndexModel(keys, name=index.name, expireAfterSeconds=index.expire_after_s)
