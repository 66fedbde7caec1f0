"""Which generation of a read shape readers get."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from notes_query.errors import Building

PARKED_SUFFIX: Final = "_parked"


def collection_of(shape: str, generation: int) -> str:
    """Return the name of the collection that holds a shape's documents in a generation."""
    return f"{shape}_{generation}"


def parked_of(collection: str) -> str:
    """Return the name of the collection that holds the waiting events of a collection's notes."""
    return collection + PARKED_SUFFIX


class Serving(Protocol):
    """What is served now. It can change between any two calls: ask once for each query."""

    def collection(self, shape: str) -> str:
        """Return the name of the collection to read. Raises Building while the shape is not complete."""
        ...

    def before(self, shape: str) -> str | None:
        """Return the collection that was read until a moment ago, which may be a little further; null for none."""
        ...


@dataclass(frozen=True, slots=True)
class FixedServing:
    """Serves the collections it is given, by shape, for ever."""

    collections: Mapping[str, str]

    def collection(self, shape: str) -> str:
        """See Serving."""
        try:
            return self.collections[shape]
        except KeyError:
            raise Building(shape) from None

    def before(self, _: str) -> str | None:
        """See Serving."""
        return None
