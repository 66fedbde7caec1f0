"""The versions of a note, as readers see them."""

from collections.abc import Collection

from query_support.memory_entries import MemoryEntries

from notes_query.reads.served import View


class MemoryHistory(MemoryEntries):
    """EntryStore and what ReadHistory reads."""

    async def many(self, note_ids: Collection[str]) -> dict[str, View]:
        """Return the last entry of each of these notes."""
        in_order = sorted(self.documents.values(), key=lambda entry: entry["version"])
        return {entry["note_id"]: entry for entry in in_order if entry["note_id"] in note_ids}

    async def entries(self, note_id: str, after_version: int, limit: int, *, waited: bool = False) -> list[View]:  # noqa: ARG002
        """Return a page of entries."""
        found = [entry for entry in self.documents.values() if entry["note_id"] == note_id]
        above = sorted((entry for entry in found if entry["version"] > after_version), key=lambda e: e["version"])
        return [
            {name: value for name, value in entry.items() if name not in ("_id", "note_id", "event_id")}
            for entry in above[:limit]
        ]
