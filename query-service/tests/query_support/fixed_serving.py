"""Which build is served, when nothing changes it."""

from collections.abc import Mapping
from dataclasses import dataclass

from notes_query.errors import Building


@dataclass(frozen=True, slots=True)
class FixedServing:
    """Serves the collections it is given, by read model, for ever."""

    collections: Mapping[str, str]

    def collection(self, read_model: str) -> str:
        """Return the collection. Raises Building where none was given."""
        try:
            return self.collections[read_model]
        except KeyError:
            raise Building(read_model) from None

    def before(self, _: str) -> str | None:
        """Return None: it has always been this one."""
        return None

    def elsewhere(self, _: str) -> tuple[str, ...]:
        """Return none."""
        return ()
