"""Work that is done once, as soon as its server answers."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from notes_chassis.backoff import Backoff
from notes_chassis.exceptions import kinds_of

log = structlog.get_logger()


class Refused(Exception):
    """The server answers and will go on saying no: a wrong password, say. The text is for a person."""


async def once(
    name: str, work: Callable[[], Awaitable[None]], away: tuple[type[Exception], ...], at_most_s: float
) -> int:
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
