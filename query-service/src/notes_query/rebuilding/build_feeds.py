"""Feeds every generation: one consumer group each, from the day it is begun to the day it is dropped."""

import asyncio
from collections.abc import Callable, Collection, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Generic, Protocol, TypeVar

import structlog

from notes_chassis.health import Health
from notes_chassis.process import Step
from notes_query.errors import NotesQueryError
from notes_query.projecting.enter_read_model import EnterShape
from notes_query.projecting.fold_read_model import FoldShape
from notes_query.rebuilding.active_builds import ActiveBuilds
from notes_query.rebuilding.begin_builds import BeginBuilds
from notes_query.rebuilding.builds import Build, fed

log = structlog.get_logger()

LOOK_S: Final = 1.0
PART: Final = "generations"


class Feeding(Protocol):
    """One generation that is fed by this process."""

    generation: Build
    """Which one, as it was looked at last."""

    @property
    def folds(self) -> Sequence[FoldShape | EnterShape]:
        """Its shapes."""

    async def run(self) -> None:
        """Consume until cancelled."""
        ...

    def rename(self, name: str) -> None:
        """Be called so, in metrics, logs and /readyz."""
        ...


Fed = TypeVar("Fed", bound=Feeding)


@dataclass(slots=True)
class BuildFeeds(Generic[Fed]):
    """One a process. `run` ends by cancellation only.

    `known`: the shapes of this version of the service. A generation with another one is left to newer instances: who
    joins its group has to write all of it. `keep` runs a task, again whenever it fails.
    """

    begin: BeginBuilds
    served: ActiveBuilds
    known: Collection[str]
    feeding: Callable[[Build], Fed]
    health: Health
    keep: Callable[[str, Step], Coroutine[Any, Any, None]]
    _fed: dict[int, tuple[Fed, "asyncio.Task[None]"]] = field(default_factory=dict)
    _strange: set[int] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.served.changed.append(self._rename)

    @property
    def numbers(self) -> list[int]:
        """The generations that are fed here."""
        return sorted(self._fed)

    def all(self) -> list[Fed]:
        """Return what is fed here."""
        return [feeding for feeding, _ in self._fed.values()]

    def folds(self) -> list[FoldShape | EnterShape]:
        """Return the shapes of what is fed here."""
        return [fold for feeding in self.all() for fold in feeding.folds]

    def serving(self, shape: str) -> Fed | None:
        """Return what feeds the served generation of a shape, if that is fed here."""
        number = self.served.generations.get(shape)
        found = None if number is None else self._fed.get(number)
        return None if found is None else found[0]

    async def run(self) -> None:
        """Look for new and dropped generations, again and again. After an error what is fed is fed on."""
        try:
            while True:
                await self._look()
                await asyncio.sleep(LOOK_S)
        except asyncio.CancelledError:
            await self._stop(list(self._fed))
            raise

    async def step(self) -> None:
        """Start feeding what is new, stop feeding what was dropped. Raises StoreUnavailable."""
        wanted = {one.number: one for one in fed(await self.begin.generations.all()) if self._is_known(one)}
        await self._stop([number for number in self._fed if number not in wanted])
        for number, generation in wanted.items():
            if number in self._fed:
                self._fed[number][0].generation = generation
            else:
                feeding = self.feeding(generation)
                self._fed[number] = feeding, asyncio.create_task(self.keep(f"generation {number}", feeding.run))
                log.info("feeding", generation=number, shapes=list(generation.shapes))
        self._rename()

    async def _look(self) -> None:
        failure: str | None = None
        # Apart: with Kafka away nothing can be begun, but what there is can be fed as soon as it is back.
        for step in (self.begin, self.step):
            try:
                await step()
            except NotesQueryError as error:
                failure = str(error)
                log.warning("generations were not looked after, trying again", error=failure)
        self.health.report(PART, ok=failure is None, reason=failure)

    def _is_known(self, generation: Build) -> bool:
        if set(generation.shapes) <= set(self.known):
            return True
        if generation.number not in self._strange:
            self._strange.add(generation.number)
            log.warning("not feeding: shapes that are not known here", generation=generation.number)
        return False

    async def _stop(self, numbers: Sequence[int]) -> None:
        tasks = [self._fed.pop(number)[1] for number in numbers]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    def _rename(self) -> None:
        """Call what serves readers by its lane's name alone, anything else by its number too."""
        taken: set[str] = set()
        first = {number: feeding for number, (feeding, _) in sorted(self._fed.items()) if self._serves(feeding)}
        for number, (feeding, _) in {**{n: self._fed[n] for n in first}, **self._fed}.items():
            lane: str = feeding.generation.lane
            name = f"{lane}-{number}" if lane in taken or self._unserved(feeding) else lane
            taken.add(name)
            feeding.rename(name)

    def _serves(self, feeding: Fed) -> bool:
        generation = feeding.generation
        return any(self.served.serves(shape, generation.number) for shape in generation.shapes)

    def _unserved(self, feeding: Fed) -> bool:
        """Say whether readers get all of its shapes from elsewhere."""
        shapes = feeding.generation.shapes
        return not self._serves(feeding) and all(shape in self.served.generations for shape in shapes)
