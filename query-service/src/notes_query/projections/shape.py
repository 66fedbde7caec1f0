"""What a read shape says about itself to those who store it."""

from dataclasses import dataclass
from typing import Final

ASCENDING: Final = 1
DESCENDING: Final = -1


@dataclass(frozen=True, slots=True)
class Index:
    """An index over `keys`: (field, direction) in order. `expire_after_s`: documents go that long after the time."""

    name: str
    keys: tuple[tuple[str, int], ...]
    expire_after_s: int | None = None


@dataclass(frozen=True, slots=True)
class Shape:
    """A collection of documents and the indexes that its queries need."""

    collection: str
    indexes: tuple[Index, ...]
