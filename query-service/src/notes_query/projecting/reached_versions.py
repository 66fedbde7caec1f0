"""The versions that the documents which readers get have reached here, of the notes written last."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

AT_MOST: Final = 20_000
"""Notes; their ids take 3 MB."""


class ReachedVersions:
    """Versions by note, those stored last. A version that is not known here may be stored all the same."""

    def __init__(self, at_most: int = AT_MOST) -> None:
        self._at_most = at_most
        self._versions: dict[str, int] = {}

    def add(self, documents: Iterable[Mapping[str, Any]]) -> None:
        """Note that these notes' documents are stored."""
        versions = self._versions
        for document in documents:
            note_id: str = document["_id"]
            version: int = document["version"]
            versions[note_id] = max(version, versions.pop(note_id, 0))  # the last one again
        while len(versions) > self._at_most:
            del versions[next(iter(versions))]

    def holds(self, note_id: str, version: int) -> bool:
        """Say whether it is known that the note's document has reached this version."""
        return self._versions.get(note_id, 0) >= version
