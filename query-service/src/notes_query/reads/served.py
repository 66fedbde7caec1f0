"""The collections that readers get now."""

from collections.abc import Callable
from typing import Any

from notes_query.projecting.serving import Serving


class Served:
    """Collections by read shape. Motor takes as long to make one as to ask it, so each is made once."""

    def __init__(self, database: Any, serving: Serving) -> None:
        self._database = database
        self._serving = serving
        self._made: dict[str, Any] = {}

    def __getitem__(self, shape: str) -> Any:
        """Return the collection that is served. Raises Building."""
        return self._collection(self._serving.collection(shape))

    def beside(self, shape: str, name_of: Callable[[str], str]) -> Any:
        """Return the collection whose name is made from that of the one served. Raises Building."""
        return self._collection(name_of(self._serving.collection(shape)))

    def before(self, shape: str) -> Any:
        """Return the collection that was served until a moment ago; null for none."""
        name = self._serving.before(shape)
        return None if name is None else self._collection(name)

    def _collection(self, name: str) -> Any:
        if (made := self._made.get(name)) is None:
            made = self._made[name] = self._database[name]
        return made
