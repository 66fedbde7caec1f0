"""Readers of the topic for streams that catch up: a few, lent in turns."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from notes_query.live.follower import Follower
from notes_query.live.ports import EventTail
from notes_query.live.position import Position

AT_ONCE: Final = 8
"""Each costs a connection and the memory of what it has fetched."""
TURN_S: Final = 5.0
"""How long a stream keeps its reader while others wait for one."""
IDLE_S: Final = 0.2
"""How long it keeps one while its client does not take what was read."""
LOOK_S: Final = 0.05


@dataclass(slots=True, eq=False)
class Loan:
    """A reader in the hands of one stream. `idle_since`: when the stream began to wait for its client."""

    since: float
    idle_since: float | None = None
    follower: Follower | None = None

    @property
    def over(self) -> bool:
        """Whether it was taken back: where reading goes on has to be remembered."""
        return self.follower is None


@dataclass(slots=True)
class Readers:
    """Lends readers in the order in which they are asked for.

    Who does not use one has it taken away as soon as another stream wants it, and who uses one gives it back in time:
    clients that are slow, or far back, cost the others a turn.
    """

    begin: Callable[[Position], Awaitable[Follower]]
    clock: Callable[[], float]
    at_once: int = AT_ONCE
    _lent: set[Loan] = field(default_factory=set)
    _queue: asyncio.Lock = field(default_factory=asyncio.Lock)
    _wanted: int = 0

    async def take(self, position: Position) -> Loan:
        """Return a reader from that position on, once there is one. Raises TopicUnavailable."""
        self._wanted += 1
        try:
            async with self._queue:
                while len(self._lent) >= self.at_once:
                    if (idle := self._idle()) is None:
                        await asyncio.sleep(LOOK_S)
                    else:
                        await self.give_back(idle)
                loan = Loan(self.clock())
                self._lent.add(loan)
        finally:
            self._wanted -= 1
        try:
            loan.follower = await self.begin(position)
        except BaseException:
            self._lent.discard(loan)
            raise
        loan.since = self.clock()
        return loan

    def _idle(self) -> Loan | None:
        until = self.clock() - IDLE_S
        idle = [loan for loan in self._lent if loan.idle_since is not None and loan.idle_since <= until]
        return min(idle, key=lambda loan: loan.idle_since or 0.0, default=None)

    def turn_is_over(self, loan: Loan) -> bool:
        """Say whether a stream has had its reader for long enough, with others waiting."""
        return self._wanted > 0 and self.clock() - loan.since >= TURN_S

    async def give_back(self, loan: Loan) -> None:
        """Let go of a reader; harmless for one that was taken back."""
        follower, loan.follower = loan.follower, None
        self._lent.discard(loan)
        if follower is not None:
            tail: EventTail = follower.tail
            await tail.close()

    def __len__(self) -> int:
        return len(self._lent)
