"""The note documents, as readers see them."""

from collections import Counter
from collections.abc import Collection
from copy import deepcopy
from typing import Any

from query_support.memory_folds import MemoryFolds

from notes_query.projections.note import author_key
from notes_query.reads.count_tags import TAGS_MAX
from notes_query.reads.cursor import PageEnd
from notes_query.reads.list_notes import Chosen
from notes_query.reads.served import View

_NOT_IN_VIEW = ("author_key", "body", "event_id", "ids", "snapshot", "tag_line")
_BODY = ("_id", "version", "status", "parked", "body")
_SUMMARY = ("_id", "title", "tags", "status", "version", "created_at", "updated_at")


class MemoryNotes(MemoryFolds):
    """FoldStore, NoteReader and what ListNotes reads, and with `tags` CountTags."""

    async def view(self, note_id: str, *, waited: bool = False) -> View | None:  # noqa: ARG002 - all is one store
        """Return the note without its body."""
        found = self.documents.get(note_id)
        if found is None:
            return None
        return {name: value for name, value in deepcopy(found).items() if name not in _NOT_IN_VIEW}

    async def body(self, note_id: str, *, waited: bool = False) -> View | None:  # noqa: ARG002
        """Return the body, and what says whether it may be seen."""
        found = self.documents.get(note_id)
        return None if found is None else {name: found[name] for name in _BODY}

    async def elsewhere(self, _: str) -> int:
        """Return the version that other releases show: there is none."""
        return 0

    async def has_waiting(self, note_id: str, *, waited: bool = False) -> bool:  # noqa: ARG002
        """Say whether a version of that note is missing."""
        return any(waiting == note_id for waiting, _ in self.waiting_events)

    async def many(self, note_ids: Collection[str]) -> dict[str, View]:
        """Return those of these notes that are there."""
        return {id_: self.documents[id_] for id_ in note_ids if id_ in self.documents}

    async def page(self, chosen: Chosen, after: PageEnd | None, limit: int, *, waited: bool = False) -> list[View]:  # noqa: ARG002
        """Return a page of summaries."""
        found = [
            (note["created_at"], id_)
            for id_, note in self.documents.items()
            if note["created_at"] is not None and _is_chosen(note, chosen)
        ]
        newest_first = sorted((key for key in found if after is None or key < tuple(after)), reverse=True)
        notes = [deepcopy(self.documents[id_]) for _, id_ in newest_first[:limit]]
        return [{name: value for name, value in note.items() if name in _SUMMARY} for note in notes]

    async def some(self, ids: Any, chosen: Chosen, *, waited: bool = False) -> list[View]:  # noqa: ARG002
        """Return these notes as far as they are chosen."""
        found = [self.documents[id_] for id_ in dict.fromkeys(ids) if id_ in self.documents]
        return [{name: note[name] for name in _SUMMARY} for note in found if _is_chosen(note, chosen)]

    async def tags(self, *, waited: bool = False) -> list[dict[str, Any]]:  # noqa: ARG002
        """Return the tags of active notes, counted."""
        active = (note for note in self.documents.values() if note["status"] == "active")
        counts = Counter(tag for note in active for tag in note["tags"])
        found = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:TAGS_MAX]
        return [{"tag": tag, "count": count} for tag, count in found]


def _is_chosen(note: dict[str, Any], chosen: Chosen) -> bool:
    return (
        note["status"] in chosen.statuses
        and (chosen.tag is None or chosen.tag in note["tags"])
        and (chosen.author is None or author_key(chosen.author) == note["author_key"])
    )
