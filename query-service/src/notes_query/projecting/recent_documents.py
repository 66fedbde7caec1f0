"""The documents that a projector has written last, so that the next event of a note need not read its document."""

from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping
from sys import getsizeof
from typing import Final

from notes_query.projections.read_model import Folded

AT_MOST_BYTES: Final = 4 * 1024 * 1024
"""Bytes of the documents that are kept of one read model in one build."""
MANY: Final = 200
"""Documents of one write from which on none is kept: each costs 4 µs, and a batch that large reads what it needs in one
query, which costs little beside its other work."""
LARGEST_BYTES: Final = AT_MOST_BYTES // 16
"""A document that takes more is not kept: too many others would be evicted for it."""
_FIXED_BYTES: Final = 1_500
"""Bytes of a document beyond the sizes of its values: the dict itself, and at most 20 tags."""


class RecentDocuments:
    """The documents written last, by note; their size in bytes is limited.

    Another process may have replaced them in MongoDB: a replace says which document it was folded from (FoldStore).
    """

    def __init__(self, max_bytes: int = AT_MOST_BYTES) -> None:
        self._max_bytes = max_bytes
        self._kept = OrderedDict[str, tuple[Folded, int]]()
        self._bytes = 0

    def of(self, note_ids: Iterable[str]) -> dict[str, Folded]:
        """Return those of these notes that are kept."""
        kept = self._kept
        return {note_id: kept[note_id][0] for note_id in note_ids if note_id in kept}

    def keep(self, documents: Mapping[str, Folded]) -> None:
        """Keep these documents, by note, in the place of older ones; of MANY or more none."""
        self.forget(documents)
        if len(documents) >= MANY:
            return
        for note_id, document in documents.items():
            size = _FIXED_BYTES + sum(map(getsizeof, document.values()))
            if size <= LARGEST_BYTES:
                self._kept[note_id] = document, size
                self._bytes += size
        while self._bytes > self._max_bytes:
            _, (_, size) = self._kept.popitem(last=False)
            self._bytes -= size

    def forget(self, note_ids: Collection[str]) -> None:
        """Drop the documents of these notes."""
        for note_id in note_ids:
            kept = self._kept.pop(note_id, None)
            if kept is not None:
                _, size = kept
                self._bytes -= size
