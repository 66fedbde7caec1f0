"""Steps that are taken again and again; two of them see whether the servers answer, and to the events that wait."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final

import structlog
from aiokafka.errors import KafkaError

from notes_chassis.health import Health
from notes_chassis.kafka.fetches import public_reason
from notes_chassis.logs import kinds_of
from notes_chassis.memory import trim_memory
from notes_query.errors import NotesQueryError
from notes_query.monitoring import metrics
from notes_query.projecting.fold_read_model import FoldReadModel

log = structlog.get_logger()

PROBE_S: Final = 2.0
EARLY: Final = 10


@dataclass(slots=True)
class Periodic:
    """Takes `step` again and again, at once again while it returns True. `run` ends by cancellation only.

    `pause_s`: seconds between two steps, or what returns them. Steps begin at its multiples, those of all tasks
    together: an idle process is woken less often.
    """

    name: str
    step: Callable[[], Awaitable[bool | None]]
    pause_s: float | Callable[[], float]
    _failure: str | None = None

    async def run(self) -> None:
        """Take steps; say it once if one after the other fails because a server is away."""
        while True:
            more, failure = False, None
            try:
                more = bool(await self.step())
            except NotesQueryError as error:
                failure = str(error)
                if failure != self._failure:
                    log.warning("not done, trying again", task=self.name, error=failure)
            self._failure = failure
            pause_s = self.pause_s() if callable(self.pause_s) else self.pause_s
            left_s = pause_s - monotonic() % pause_s
            # A timer may come a moment early: what is left then is not another step.
            await asyncio.sleep(0 if more else left_s if left_s > pause_s / EARLY else left_s + pause_s)


async def probe(health: Health, part: str, ask: Callable[[], Awaitable[object]], at_most_s: float = PROBE_S) -> None:
    """Ask a server whether it is there, and note the answer."""
    reason: str | None = None
    try:
        async with asyncio.timeout(at_most_s):
            await ask()
    except TimeoutError:
        reason = f"no answer within {at_most_s:g} s"
    except (NotesQueryError, KafkaError, OSError) as error:
        # Readiness is public: what is not in our words may name hosts, which are for the log.
        log.info("a server did not do as asked", part=part, error=kinds_of(error))
        if isinstance(error, NotesQueryError):
            reason = str(error)
        else:
            reason = public_reason(error) if isinstance(error, KafkaError) else type(error).__name__
    health.report(part, ok=reason is None, reason=reason)


@dataclass(slots=True)
class Maintenance:
    """One a process."""

    health: Health
    ask_kafka: Callable[[], Awaitable[object]]
    prepare_store: Callable[[], Awaitable[None]]
    folds: Callable[[], Sequence[FoldReadModel]]
    """The folded read models of every build that this process feeds."""
    _prepared: bool = False

    async def step(self) -> None:
        """Look after everything. Raises StoreUnavailable."""
        await probe(self.health, "kafka", self.ask_kafka)
        if not self._prepared:
            await self.prepare_store()
            self._prepared = True

    async def heal(self) -> None:
        """Count the waiting events; heal what an instance that stopped half way has left.

        Where one read model fails, the others go on; then its error is raised, the first one of several.
        """
        parked, forks = Counter[str](), Counter[str]()
        failures: list[NotesQueryError] = []
        uncounted = set[str]()
        for fold in self.folds():
            is_counted = False
            try:
                waiting, forked = await fold.store.count_parked()
                is_counted = True
                # Every build keeps its own: the most of them, not their sum.
                parked[fold.name] = max(parked[fold.name], waiting)
                forks[fold.name] = max(forks[fold.name], forked)
                if waiting or forked:
                    metrics.count("maintenance", await fold.heal_next())
            except NotesQueryError as error:
                failures.append(error)
                if not is_counted:
                    uncounted.add(fold.name)
        for read_model in parked.keys() - uncounted:  # where one build is not counted, the gauge stays as it was
            metrics.PARKED.labels(read_model).set(parked[read_model])
            metrics.FORKS.labels(read_model).set(forks[read_model])
        trim_memory()
        if failures:
            raise failures[0]
