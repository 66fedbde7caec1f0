"""Work that is done once, as soon as its server answers."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from notes_chassis.backoff import Backoff

log = structlog.get_logger()


async def once(
    name: str, work: Callable[[], Awaitable[None]], away: tuple[type[Exception], ...], timeout: float
) -> int:
    """Try until it works or `timeout` seconds have passed; return the exit code.

    An exception of `away` means: not yet. Any other says no for good, in its own words.
    """
    backoff = Backoff()
    deadline = asyncio.get_running_loop().time() + timeout
    while True:
        try:
            await work()
        except away as error:
            if asyncio.get_running_loop().time() >= deadline:
                log.error(f"{name} did not do as asked within {timeout:g} s", error=str(error))  # noqa: TRY400
                return 1
            log.info(f"waiting for {name}", error=str(error))
            await asyncio.sleep(backoff.next())
        else:
            return 0
