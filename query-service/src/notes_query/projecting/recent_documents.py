"""The documents that a projector has written last, so that the next event of a note need not read what is known."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from sys import getsizeof
from typing import Final

from notes_query.projections.read_model import Folded

AT_MOST_BYTES: Final = 4 * 1024 * 1024
"""What the documents of one read model in one build may take."""
MANY: Final = 200
"""Documents written at once, of which none is kept: each costs 4 µs, and a batch that large reads what it needs in one
query, which such a batch hardly feels."""
LARGEST_BYTES: Final = AT_MOST_BYTES // 16
"""One that takes more is not kept: it would drive out too many others."""
_FIXED_BYTES: Final = 1_500
"""The dict itself, and what its values hold beyond their own size: at most 20 tags."""


class RecentDocuments:
    """Documents by note, those written last, bounded in bytes.

    They need not be the stored ones any more: a replace says which document it was folded from (FoldStore).
    """

    def __init__(self, at_most_bytes: int = AT_MOST_BYTES) -> None:
        self._at_most = at_most_bytes
        self._kept = OrderedDict[str, tuple[Folded, int]]()
        self._bytes = 0

    def of(self, note_ids: Iterable[str]) -> dict[str, Folded]:
        """Return those of these notes that are kept."""
        kept = self._kept
        return {note_id: kept[note_id][0] for note_id in note_ids if note_id in kept}

    def keep(self, documents: Mapping[str, Folded]) -> None:
        """Keep these, by note, in the place of older ones; of many at once none."""
        self.forget(documents)
        if len(documents) >= MANY:
            return
        for note_id, document in documents.items():
            size = _FIXED_BYTES + sum(map(getsizeof, document.values()))
            if size <= LARGEST_BYTES:
                self._kept[note_id] = document, size
                self._bytes += size
        while self._bytes > self._at_most:
            self._bytes -= self._kept.popitem(last=False)[1][1]

    def forget(self, note_ids: Collection[str]) -> None:
        """Keep these no longer."""
        for note_id in note_ids:
            if (found := self._kept.pop(note_id, None)) is not None:
                self._bytes -= found[1]
