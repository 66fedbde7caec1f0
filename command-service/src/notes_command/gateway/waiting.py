"""Clients that wait for an outcome: registered first, then read, then woken by commits. One query serves them all."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass, field

from notes_command.pipeline.ports import Reader
from notes_command.pipeline.result import Outcome

Futures = dict[str, set["asyncio.Future[Outcome | None]"]]


@dataclass(slots=True)
class OutcomeWaiters:
    """A waiting client costs one future; `answer`, called after each commit heard of, serves all with one query."""

    reader: Reader
    _waiting: Futures = field(default_factory=dict)
    _closed: bool = False

    def __len__(self) -> int:
        """Return how many clients wait."""
        return sum(map(len, self._waiting.values()))

    async def outcome(self, command_id: str, at_most_s: float) -> Outcome | None:
        """Return the outcome, or None if there is none within that time. Raises StoreError."""
        future: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(command_id, set()).add(future)
        try:
            known = (await self.reader.outcomes([command_id])).get(command_id)
            if known is not None or at_most_s <= 0 or self._closed:
                return known
            with suppress(TimeoutError):
                async with asyncio.timeout(at_most_s):
                    return await future
            return None
        finally:
            futures = self._waiting[command_id]
            futures.discard(future)
            if not futures:
                del self._waiting[command_id]

    def close(self) -> None:
        """Answer everybody with what there is, and let nobody wait any more: the service is going down."""
        self._closed = True
        for futures in self._waiting.values():
            for future in futures:
                if not future.done():
                    future.set_result(None)

    async def answer(self) -> None:
        """Look up all commands that are waited for, and wake the clients of those decided. Raises StoreError."""
        if not self._waiting:
            return
        for command_id, outcome in (await self.reader.outcomes(list(self._waiting))).items():
            for future in self._waiting.get(command_id, ()):
                if not future.done():
                    future.set_result(outcome)
