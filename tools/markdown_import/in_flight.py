"""The commands that were sent and not yet answered."""

import asyncio
from dataclasses import dataclass
from time import monotonic


@dataclass(frozen=True, slots=True)
class Sent:
    """A command on its way. `at`: `perf_counter` when it was published. `links`: how many this file took so far."""

    path: str
    note_id: str
    title: str
    tags: tuple[str, ...]
    digest: str
    at: float
    links: int


class InFlight:
    """Unanswered commands by their id.

    While answers come, at most `limit` are out. When none has come for `patience` seconds, nobody waits any
    more: the commands are safe on Kafka, and the rest of the files can go there, too.
    """

    def __init__(self, limit: int, patience: float) -> None:
        """Begin with none."""
        self._sent: dict[str, Sent] = {}
        self._limit = limit
        self._patience = patience
        self._last = monotonic()
        self._answered = asyncio.Event()

    def __len__(self) -> int:
        """Return how many are out."""
        return len(self._sent)

    def add(self, command_id: str, sent: Sent) -> None:
        """Note a command that is about to be published."""
        if not self._sent:
            self._last = monotonic()
        self._sent[command_id] = sent

    def take(self, command_id: str) -> Sent | None:
        """Return the command that is answered now, None if it is not one of ours or was answered before."""
        sent = self._sent.pop(command_id, None)
        if sent is not None:
            self._last = monotonic()
            self._answered.set()
        return sent

    async def room(self) -> int:
        """Wait for room, and return for how many more there is."""
        while len(self._sent) >= self._limit:
            if not await self.answer():
                return self._limit
        return self._limit - len(self._sent)

    async def answer(self) -> bool:
        """Wait for an answer. False: none came in time."""
        self._answered.clear()
        try:
            async with asyncio.timeout(self._last + self._patience - monotonic()):
                await self._answered.wait()
        except TimeoutError:
            return False
        return True

    def unanswered(self) -> list[str]:
        """Return the paths of what is out, sorted."""
        return sorted(sent.path for sent in self._sent.values())
