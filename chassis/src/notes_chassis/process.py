"""The tasks of one process, kept alive beside the HTTP server, and work that is done once, or in turns with others."""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeVar

import structlog

from notes_chassis.health import Health
from notes_chassis.logs import kinds_of

log = structlog.get_logger()

STEADY_S: Final = 30.0
"""Seconds that a task which failed has to run until it counts as well again."""

TURN_S: Final = 0.01
"""Seconds of work between two turns of the loop, and one step more: heartbeats and probes wait no longer."""
FIRST_S: Final = 0.1
CAP_S: Final = 5.0

Step = Callable[[], Awaitable[None]]
Done = TypeVar("Done")


@dataclass(slots=True)
class Backoff:
    """How long to wait before the next try: doubles up to a cap, with jitter, so that instances spread out."""

    attempts: int = 0

    def next(self) -> float:
        """Return the seconds to wait after one more failure."""
        ceiling = min(CAP_S, FIRST_S * 2**self.attempts)
        self.attempts = min(self.attempts + 1, 16)
        return random.uniform(ceiling / 2, ceiling)  # noqa: S311 - jitter, not a secret

    def reset(self) -> None:
        """Start over after a success."""
        self.attempts = 0


async def _nothing() -> None:
    """Do nothing first."""


@dataclass(slots=True)
class TaskSupervisor:
    """Runs what should run for ever, and runs it again with back-off whatever ended it.

    A failed task is told in the log (kind and place, never the exception's text), in readiness as the part
    `task <name>` until it has run for STEADY_S, and to `count`.
    """

    health: Health
    count: Callable[[str], None] = lambda _: None
    steady_s: float = STEADY_S
    failed: Counter[str] = field(default_factory=Counter)

    async def keep(self, name: str, run: Step) -> None:
        """Run until cancelled."""
        backoff = Backoff()
        while True:
            well = asyncio.get_running_loop().call_later(self.steady_s, self._well, name, backoff)
            try:
                await run()
                self._failed(name, None)
            except (Exception, asyncio.CancelledError) as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise  # else it came from within: a future that a library cancelled
                self._failed(name, error)
            finally:
                well.cancel()
            await asyncio.sleep(backoff.next())

    def _failed(self, name: str, error: BaseException | None) -> None:
        kind = "it ended" if error is None else type(error).__qualname__
        self.failed[name] += 1
        self.count(name)
        log.error("a task failed, starting it again", task=name, reason=kind, exc_info=error)
        self.health.report(f"task {name}", ok=False, reason=kind)

    def _well(self, name: str, backoff: Backoff) -> None:
        backoff.reset()
        if self.failed[name]:
            self.health.report(f"task {name}", ok=True)


@dataclass(slots=True)
class Process:
    """`first` is done before anybody is served; where it fails, the tasks do what it would have done.

    `tasks` run for ever, by name, and are stopped one after the other in that order; then `closing` is done.
    """

    tasks: Mapping[str, Step]
    closing: tuple[Step, ...]
    supervisor: TaskSupervisor
    first: Step = _nothing

    @asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        """Run the tasks while the server serves."""
        with logged("a first look failed"):
            await self.first()
        running = [asyncio.create_task(self.supervisor.keep(*task), name=task[0]) for task in self.tasks.items()]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
                await asyncio.wait([task])
            for step in self.closing:
                with logged("closing failed"):
                    await step()


@contextmanager
def logged(complaint: str) -> Iterator[None]:
    """Log whatever the block raises, and go on: what is only told must not have work done again that is stored."""
    try:
        yield
    except Exception:
        log.exception(complaint)


class Refused(Exception):
    """The server answers and will go on saying no: a wrong password, say. The text is for a person."""


@contextmanager
def late(after_s: float, tell: Callable[[], object]) -> Iterator[None]:
    """Call `tell` if the block is not done after so many seconds. The block goes on."""
    timer = asyncio.get_running_loop().call_later(after_s, tell)
    try:
        yield
    finally:
        timer.cancel()


async def happens(event: asyncio.Event, within_s: float) -> bool:
    """Wait for an event, so many seconds at most; return whether it came."""
    try:
        async with asyncio.timeout(within_s):
            return await event.wait()
    except TimeoutError:
        return False


async def once(name: str, work: Step, away: tuple[type[Exception], ...], at_most_s: float) -> int:
    """Try until it works or `at_most_s` seconds have passed; return the exit code.

    An exception of `away` means: not yet. Refused is said at once. Any other goes through.
    """
    backoff = Backoff()
    deadline = asyncio.get_running_loop().time() + at_most_s
    while True:
        try:
            await work()
        except Refused as error:
            log.error(f"{name} refused", reason=str(error))  # noqa: TRY400 - a sentence, not a traceback
            return 1
        except away as error:
            if asyncio.get_running_loop().time() >= deadline:
                log.error(f"{name} did not do as asked within {at_most_s:g} s", error=kinds_of(error))  # noqa: TRY400
                return 1
            log.info(f"waiting for {name}", error=kinds_of(error))
            await asyncio.sleep(backoff.next())
        else:
            return 0


async def in_turns(steps: Iterable[Done]) -> list[Done]:
    """Return what the steps yield, in order. The work is done on the way: they are a generator, or a `map`."""
    done: list[Done] = []
    until = time.monotonic() + TURN_S
    for step in steps:
        done.append(step)
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + TURN_S
    return done
