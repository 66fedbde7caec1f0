"""The versions of a note, as readers see them."""

from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from typing import Any

from notes_query.reads.served import View


class MemoryHistory:
    """EntryStore and what ReadHistory reads."""

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}

    async def add(self, entries: Sequence[Mapping[str, Any]]) -> int:
        before = len(self.documents)
        for entry in entries:
            self.documents.setdefault(entry["_id"], deepcopy(dict(entry)))
        return len(entries) - (len(self.documents) - before)

    async def many(self, note_ids: Collection[str]) -> dict[str, View]:
        """Return the last entry of each of these notes."""
        in_order = sorted(self.documents.values(), key=lambda entry: entry["version"])
        return {entry["note_id"]: entry for entry in in_order if entry["note_id"] in note_ids}

    async def entries(
        self,
        note_id: str,
        after_version: int,
        up_to: int,
        limit: int,
        *,
        waited: bool = False,  # noqa: ARG002
    ) -> list[View]:
        """Return a page of entries."""
        its_entries = (one for one in self.documents.values() if one["note_id"] == note_id)
        found = [one for one in its_entries if after_version < one["version"] <= up_to]
        return [
            {name: value for name, value in entry.items() if name not in ("_id", "note_id", "event_id")}
            for entry in sorted(found, key=lambda one: one["version"])[:limit]
        ]
