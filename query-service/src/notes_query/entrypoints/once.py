"""Work that is done once, as soon as its server answers."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from notes_chassis.backoff import Backoff

log = structlog.get_logger()


async def once(
    name: str, work: Callable[[], Awaitable[None]], away: tuple[type[Exception], ...], at_most_s: float
) -> bool:
    """Try until it works, and return True; or until `at_most_s` seconds have passed, and return False.

    An exception of `away` means: not yet. Any other goes through.
    """
    backoff = Backoff()
    deadline = asyncio.get_running_loop().time() + at_most_s
    while True:
        try:
            await work()
        except away as error:
            if asyncio.get_running_loop().time() >= deadline:
                log.error(f"{name} did not do as asked within {at_most_s:g} s", error=str(error))  # noqa: TRY400
                return False
            log.info(f"waiting for {name}", error=str(error))
            await asyncio.sleep(backoff.next())
        else:
            return True
