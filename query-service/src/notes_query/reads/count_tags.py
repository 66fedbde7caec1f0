"""How many active notes have which tag."""

from typing import NamedTuple, Protocol


class TagCount(NamedTuple):
    """A tag, and how many active notes have it."""

    tag: str
    notes: int


class TagReader(Protocol):
    """The tags of all notes."""

    async def tags(self) -> list[TagCount]:
        """Return the tags of active notes, the most frequent first, then by name. Raises StoreUnavailable, Building."""
        ...
