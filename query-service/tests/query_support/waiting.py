"""A reader who finds nothing, and so waits until somebody wakes him."""

from typing import Any

from notes_query.projecting.waiters import Waiters


async def waits(waiters: Waiters, key: str = "note", level: int = 1, seconds: float = 60) -> Any:
    """Return what the reader is given: the key, once he is woken without a document."""
    there = iter([None])

    async def read(key: str) -> str | None:
        return next(there, key)

    return await waiters.until(key, level, read, bool, seconds)
