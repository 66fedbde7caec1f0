"""Where a reader stands, compared with what the topic holds."""

from collections.abc import Callable, Sequence
from typing import Final

from notes_query.errors import TopicUnavailable
from notes_query.live.follower import Follower
from notes_query.live.ports import Bounds

CHECK_S: Final = 10.0


def within(offsets: Sequence[int], bounds: Bounds) -> bool:
    """Say whether the topic holds everything from these offsets on, and has ever come so far."""
    return len(offsets) == len(bounds.end) and all(
        first <= offset <= end for offset, first, end in zip(offsets, *bounds, strict=True)
    )


def behind(offsets: Sequence[int], end: Sequence[int]) -> bool:
    """Say whether there is something to read from these offsets."""
    return any(offset < last for offset, last in zip(offsets, end, strict=True))


class StandstillWatch:
    """Sees that a reader gets nothing though there is something, or that the topic has got partitions.

    A reader that has died inside says nothing; one that was assigned its partitions is told of no other.
    """

    def __init__(self, follower: Follower, clock: Callable[[], float]) -> None:
        self._follower = follower
        self._clock = clock
        self._read = list(follower.holding.read)
        self._since = self._asked = clock()

    async def look(self) -> None:
        """Ask the topic now and then. Raises TopicUnavailable if the reader has to be made anew."""
        read, now = self._follower.holding.read, self._clock()
        if read != self._read:
            self._read, self._since = list(read), now
        if now - self._asked < CHECK_S:
            return
        bounds = await self._follower.tail.bounds()
        self._asked = now
        if len(bounds.end) != len(read):
            raise TopicUnavailable(f"the topic has {len(bounds.end)} partitions, and had {len(read)}")
        stands = now - self._since >= CHECK_S and self._follower.reading
        if stands and (behind(read, bounds.end) or not within(read, bounds)):
            raise TopicUnavailable("the reader stands still though there are records")
