"""Steps of a batch that do not depend on each other, at the same time: while one waits for the store, another works."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from notes_query.projecting.fold_batch import Counts, add_counts
from notes_query.projections.recorded_event import Record

SHARE: Final = 1_000
"""Records of a share; in smaller ones the round trips cost more than the overlap saves."""
AT_ONCE: Final = 3
"""Shares under way: each takes a thread of the driver for a while; it has five for each core, and readers need them."""


async def together(steps: Iterable[Awaitable[Counts]]) -> Counts:
    """Return what the steps come to in all, once all have ended; raise what the first of them raised, after that too.

    So none goes on behind the back of whoever tries the same again.
    """
    results = await asyncio.gather(*steps, return_exceptions=True)
    total = Counts()
    for result in results:
        if isinstance(result, BaseException):
            raise result
        add_counts(total, result)
    return total


async def in_shares(records: Sequence[Record], process: Callable[[Sequence[Record]], Awaitable[Counts]]) -> Counts:
    """Process a large batch in shares, a few at a time, so that one is decoded and folded while another is stored.

    Returns and raises as `together`.
    """
    free = asyncio.Semaphore(AT_ONCE)

    async def one(share: Sequence[Record]) -> Counts:
        async with free:
            return await process(share)

    return await together(one(share) for share in shares_of(records))


def shares_of(records: Sequence[Record]) -> list[Sequence[Record]]:
    """Return the records of a batch in shares of about a thousand, in their order, all of a key in one."""
    count = len(records) // SHARE
    if count < 2:
        return [records]
    shares: list[list[Record]] = [[] for _ in range(count)]
    for record in records:
        shares[hash(record.key) % count].append(record)
    return [share for share in shares if share]
