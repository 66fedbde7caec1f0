"""A reader who finds nothing, and so waits until somebody wakes him."""

from typing import Any

from notes_query.projecting.waiters import Waiters


async def nothing(_: str) -> None:
    """Find nothing."""


async def waits(waiters: Waiters, key: str = "note", level: int = 1, seconds: float = 60) -> Any:
    """Return what the reader is given."""
    return await waiters.until(key, level, nothing, bool, seconds)
