"""The tasks of one process, started and stopped together with the HTTP server."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import structlog
from fastapi import FastAPI

log = structlog.get_logger()

Step = Callable[[], Awaitable[None]]


async def _nothing() -> None:
    """Do nothing first."""


@dataclass(slots=True)
class Process:
    """`first` is done before anybody is served; it looks to it that a server that is away does not hold it up.

    `tasks` run for ever, by name, and are stopped one after the other in that order; then `closing` is done.

    A task that ends by itself is a bug: the process ends with it (`failed`), and whoever started it starts it again.
    """

    tasks: Mapping[str, Step]
    closing: tuple[Step, ...]
    first: Step = _nothing
    failed: bool = False
    end: Callable[[], None] = field(default=lambda: None)

    @asynccontextmanager
    async def lifespan(self, _: FastAPI) -> AsyncIterator[None]:
        """Run the tasks while the server serves."""
        await self.first()
        running = [asyncio.create_task(self._watched(name, run), name=name) for name, run in self.tasks.items()]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
                await asyncio.wait([task])
            for step in self.closing:
                await step()

    async def _watched(self, name: str, run: Step) -> None:
        try:
            await run()
        except Exception:
            log.exception("a task of this process failed, ending", task=name)
        self.failed = True
        self.end()
