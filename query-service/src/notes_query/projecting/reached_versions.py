"""The versions that the documents which readers get have reached here, of the notes written last."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

AT_MOST: Final = 20_000
"""Notes; their ids take 3 MB."""


class ReachedVersions:
    """Versions by note, those stored last. A version that is not known here may be stored all the same."""

    def __init__(self, at_most: int = AT_MOST) -> None:
        self._half = at_most // 2
        self._newer: dict[str, int] = {}
        self._older: dict[str, int] = {}

    def add(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Note that these notes' documents are stored."""
        for document in documents:
            if len(self._newer) >= self._half:  # half of it goes at once: one by one costs more than remembering
                self._newer, self._older = {}, self._newer
            if document["version"] > self._newer.get(document["_id"], 0):
                self._newer[document["_id"]] = document["version"]

    def holds(self, note_id: str, version: int) -> bool:
        """Say whether it is known that the note's document has reached this version."""
        return self._newer.get(note_id, 0) >= version or self._older.get(note_id, 0) >= version
