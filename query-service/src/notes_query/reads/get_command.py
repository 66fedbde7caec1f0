"""The outcome of one command."""

from notes_query.projecting.ports import OutcomeStore
from notes_query.projecting.waiters import Waiters
from notes_query.projections.outcome import OutcomeDocument
from notes_query.reads.get_note import MAX_WAIT_S


class GetCommand:
    """`GET /commands/{command_id}`."""

    def __init__(self, outcomes: OutcomeStore, waiters: Waiters) -> None:
        self._outcomes = outcomes
        self._waiters = waiters

    async def __call__(self, command_id: str, wait_s: float = 0.0) -> OutcomeDocument | None:
        """Return the outcome, after waiting at most `wait_s` seconds (10 at most) for it. Raises StoreUnavailable."""
        if wait_s <= 0:
            return await self._outcomes.get(command_id)
        with self._waiters.register(command_id) as waiter:
            outcome = await self._outcomes.get(command_id)
            if outcome is not None:
                return outcome
            await waiter.wait(min(wait_s, MAX_WAIT_S))
        return await self._outcomes.get(command_id)
