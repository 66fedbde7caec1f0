"""Which build of a read model readers get."""

from collections.abc import Sequence
from typing import Final, Protocol

PARKED_SUFFIX: Final = "_parked"


def collection_of(read_model: str, version: int, build: int) -> str:
    """Return the name of the collection that holds a read model's documents in a build."""
    return f"{read_model}_v{version}_{build}"


def parked_of(collection: str) -> str:
    """Return the name of the collection that holds the waiting events of a collection's notes."""
    return collection + PARKED_SUFFIX


class Serving(Protocol):
    """What is served now. It can change between any two calls: ask once for each query."""

    def collection(self, read_model: str) -> str:
        """Return the name of the collection to read. Raises Building while the read model is not complete."""
        ...

    def before(self, read_model: str) -> str | None:
        """Return the collection that was read until a moment ago, which may be a little further; None for none."""
        ...

    def elsewhere(self, read_model: str) -> Sequence[str]:
        """Return the collections that instances of other releases answer from now: they may be further, too."""
        ...
