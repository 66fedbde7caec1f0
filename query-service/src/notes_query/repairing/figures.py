"""Figures that only the store knows, for /metrics."""

import math
from dataclasses import dataclass

from notes_chassis.dead_letters import STATES
from notes_query.monitoring import metrics
from notes_query.monitoring.lag import Freshness
from notes_query.repairing.dead_letter_store import DeadLetters
from notes_query.repairing.version_store import MissingVersions


@dataclass(frozen=True, slots=True)
class StoreFigures:
    """What is kept for a person to look at."""

    missing: MissingVersions
    letters: DeadLetters

    async def __call__(self) -> None:
        """Count. Raises StoreUnavailable."""
        metrics.MISSING_VERSIONS.set(await self.missing.count())
        counted = await self.letters.by_state()
        for state in STATES:
            metrics.DEAD_LETTERS_KEPT.labels(state).set(counted.get(state, 0))


@dataclass(frozen=True, slots=True)
class FreshnessLook:
    """Looks how fresh the documents of some projectors are."""

    projectors: dict[str, Freshness]

    async def __call__(self) -> None:
        """Look, once for each. Raises StoreUnavailable; what is known is shown all the same."""
        try:
            for freshness in self.projectors.values():
                await freshness.look()
        finally:
            for projector, freshness in self.projectors.items():
                seconds = freshness.seconds()
                metrics.PROJECTION_LAG.labels(projector).set(math.nan if seconds is None else seconds)
