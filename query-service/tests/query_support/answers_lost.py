"""A store that does its work and whose answer does not arrive."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from notes_query.errors import StoreUnavailable


@contextmanager
def answers_lost(store: Any, method: str) -> Iterator[None]:
    """Have the answers of a method be lost; fail unless that is raised to the caller."""
    does = getattr(store, method)

    async def lost(*given: Any) -> None:
        await does(*given)
        raise StoreUnavailable("no answer")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, method, lost)
        with pytest.raises(StoreUnavailable, match="no answer"):
            yield
