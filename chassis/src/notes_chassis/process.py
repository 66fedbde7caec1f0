"""The tasks of a process beside its HTTP server, back-off, and work that is done once or in turns with other work."""

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
"""Seconds of work after which other tasks get their turn; heartbeats and probes wait for that and one step more."""
FIRST_S: Final = 0.1
CAP_S: Final = 5.0
"""Seconds of the first and of the longest back-off."""

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
    pass


@dataclass(slots=True)
class TaskSupervisor:
    """Runs tasks that should run for ever, and runs them again with back-off, whatever ended them.

    A failed task is logged (kind and place, never the exception's text) and handed to `count`. Readiness has it as the
    part `task <name>` until it has run for `steady_s` seconds.
    """

    health: Health
    count: Callable[[str], None] = lambda _: None
    steady_s: float = STEADY_S
    failed: Counter[str] = field(default_factory=Counter)

    async def keep(self, name: str, run: Step) -> None:
        """Run a task until cancelled."""
        backoff = Backoff()
        while True:
            steady = asyncio.get_running_loop().call_later(self.steady_s, self._note_steady, name, backoff)
            try:
                await run()
                self._note_failure(name, None)
            except (Exception, asyncio.CancelledError) as error:
                task = asyncio.current_task()
                if task is None or task.cancelling():
                    raise  # else a library has cancelled a future that the task awaited
                self._note_failure(name, error)
            finally:
                steady.cancel()
            await asyncio.sleep(backoff.next())

    def _note_failure(self, name: str, error: BaseException | None) -> None:
        kind = "it ended" if error is None else type(error).__qualname__
        self.failed[name] += 1
        self.count(name)
        log.error("a task failed, starting it again", task=name, reason=kind, exc_info=error)
        self.health.report(f"task {name}", ok=False, reason=kind)

    def _note_steady(self, name: str, backoff: Backoff) -> None:
        backoff.reset()
        if self.failed[name]:
            self.health.report(f"task {name}", ok=True)


@dataclass(slots=True)
class Process:
    """The tasks of a process, by name. They are stopped one after the other in that order; then `closing` is done.

    `first` is done before anybody is served; if it fails, the tasks do later what it would have done.
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
        keep = self.supervisor.keep
        running = [asyncio.create_task(keep(name, run), name=name) for name, run in self.tasks.items()]
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
    """Log whatever the block raises, and go on: a failed report must not lead to stored work being done again."""
    try:
        yield
    except Exception:
        log.exception(complaint)


class Refused(Exception):
    """The server answers, and will go on refusing: for example a wrong password. The text is for a person."""


@contextmanager
def late(after_s: float, tell: Callable[[], object]) -> Iterator[None]:
    """Call `tell` if the block is not done after so many seconds. The block goes on."""
    timer = asyncio.get_running_loop().call_later(after_s, tell)
    try:
        yield
    finally:
        timer.cancel()


async def happens(event: asyncio.Event, within_s: float) -> bool:
    """Wait for an event for at most `within_s` seconds; return whether it was set."""
    try:
        async with asyncio.timeout(within_s):
            return await event.wait()
    except TimeoutError:
        return False


async def once(name: str, work: Step, away: tuple[type[Exception], ...], at_most_s: float) -> int:
    """Try until `work` succeeds or `at_most_s` seconds have passed; return the exit code.

    `away`: the exceptions after which it is tried again. Refused ends it at once. Any other exception is raised.
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
    """Return the results of the steps in their order, and let other tasks run every TURN_S.

    `steps` is lazy, a generator or a `map`: to get the next result is what takes the time.
    """
    done: list[Done] = []
    until = time.monotonic() + TURN_S
    for step in steps:
        done.append(step)
        if time.monotonic() > until:
            await asyncio.sleep(0)
            until = time.monotonic() + TURN_S
    return done
