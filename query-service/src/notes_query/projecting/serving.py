"""Which build of a read model readers get."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Protocol

from notes_query.errors import Building

PARKED_SUFFIX: Final = "_parked"


def collection_of(read_model: str, build: int) -> str:
    """Return the name of the collection that holds a read model's documents in a build."""
    return f"{read_model}_{build}"


def parked_of(collection: str) -> str:
    """Return the name of the collection that holds the waiting events of a collection's notes."""
    return collection + PARKED_SUFFIX


class Serving(Protocol):
    """What is served now. It can change between any two calls: ask once for each query."""

    def collection(self, read_model: str) -> str:
        """Return the name of the collection to read. Raises Building while the read model is not complete."""
        ...

    def before(self, read_model: str) -> str | None:
        """Return the collection that was read until a moment ago, which may be a little further; null for none."""
        ...


@dataclass(frozen=True, slots=True)
class FixedServing:
    """Serves the collections it is given, by read model, for ever."""

    collections: Mapping[str, str]

    def collection(self, read_model: str) -> str:
        """See Serving."""
        try:
            return self.collections[read_model]
        except KeyError:
            raise Building(read_model) from None

    def before(self, _: str) -> str | None:
        """See Serving."""
        return None
