"""What is looked after at intervals: whether the servers answer, and the events that wait."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from notes_query.application.errors import NotesQueryError, StoreUnavailable
from notes_query.application.ports import NoteStore
from notes_query.application.project_events import ProjectEvents
from notes_query.entrypoints import metrics
from notes_query.entrypoints.health import Health

log = structlog.get_logger()

INTERVAL_S: Final = 5.0
PROBE_S: Final = 2.0
HEALED_AT_ONCE: Final = 100


async def probe(health: Health, part: str, ask: Callable[[], Awaitable[object]], at_most_s: float = PROBE_S) -> bool:
    """Ask a server whether it is there, note the answer, and return it."""
    try:
        async with asyncio.timeout(at_most_s):
            await ask()
    except TimeoutError:
        health.report(part, ok=False, reason=f"no answer within {at_most_s:g} s")
        return False
    except (NotesQueryError, KafkaError, OSError) as error:
        health.report(part, ok=False, reason=str(error))
        return False
    health.report(part, ok=True)
    return True


@dataclass(frozen=True, slots=True)
class Upkeep:
    """One a process. `run` ends by cancellation only."""

    health: Health
    missing_topics: Callable[[], Awaitable[Sequence[str]]]
    prepare_store: Callable[[], Awaitable[None]]
    notes: NoteStore
    project: ProjectEvents

    async def run(self) -> None:
        """Look after everything, again and again."""
        prepared = False
        while True:
            await probe(self.health, "kafka", self._look_at_kafka)
            try:
                if not prepared:
                    await self.prepare_store()
                    prepared = True
                await self.step()
            except StoreUnavailable as error:
                log.warning("the store was not looked after, trying again", error=str(error))
            await asyncio.sleep(INTERVAL_S)

    async def _look_at_kafka(self) -> None:
        if missing := await self.missing_topics():
            raise FileNotFoundError(f"there is no topic {', '.join(missing)}")

    async def step(self) -> None:
        """Count the waiting events; heal what an instance that stopped half way has left. Raises StoreUnavailable."""
        waiting, forks = await self.notes.count_parked()
        metrics.PARKED.set(waiting)
        metrics.FORKS.set(forks)
        if waiting:
            metrics.count("upkeep", await self.project.heal(await self.notes.waiting_notes(HEALED_AT_ONCE)))
