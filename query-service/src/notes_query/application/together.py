"""Steps of a batch that do not depend on each other, at the same time: while one waits for the store, another works."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from typing import Final

from notes_query.application.fold_batch import Counts, add_counts
from notes_query.projections.recorded_event import RecordedEvent

WORTH_HALVING: Final = 2_000
"""Events of a batch; below, the second round trip costs as much as it saves."""


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


def halves_of(events: Sequence[RecordedEvent]) -> list[Sequence[RecordedEvent]]:
    """Return the events of a large batch in two parts, in their order, all of a note in one; of a small one, in one.

    Two, since each takes a thread of the driver for a while: it has five for each core, and readers need them too.
    """
    if len(events) < WORTH_HALVING:
        return [events]
    halves: tuple[list[RecordedEvent], list[RecordedEvent]] = ([], [])
    for event in events:
        halves[hash(event.note_id) & 1].append(event)
    return [half for half in halves if half]
