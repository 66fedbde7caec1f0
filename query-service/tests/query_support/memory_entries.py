"""Documents of a read model with one for each event."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any


class MemoryEntries:
    """EntryStore."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}

    async def add(self, entries: Sequence[Mapping[str, Any]]) -> int:
        before = len(self.documents)
        for entry in entries:
            self.documents.setdefault(entry["_id"], deepcopy(dict(entry)))
        return len(entries) - (len(self.documents) - before)
