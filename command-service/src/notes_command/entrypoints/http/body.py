"""The body of a request, read up to a limit. FastAPI's own limit answers in plain text, not with a problem document."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from fastapi import Request
from starlette.requests import ClientDisconnect

from notes_command.entrypoints.http.problems import Problem, invalid_field
from notes_contracts import Code

MAX_BODY: Final = 2 * 1024 * 1024
"""Bytes. The largest legal command fits: 100,000 characters of body, each escaped in twelve bytes."""
MAX_HELD: Final = 16 * MAX_BODY
"""Bytes of all bodies that have been received and are not on Kafka yet: what bounds the memory while Kafka is slow."""
READ_S: Final = 20.0


@dataclass(slots=True)
class Intake:
    """The room that the bodies of all requests share."""

    held: int = 0

    @contextmanager
    def room(self) -> Iterator[Callable[[int], None]]:
        """Give what takes bytes out of the room; they go back at the end. It raises Problem `unavailable`."""
        taken = 0

        def take(size: int) -> None:
            nonlocal taken
            if self.held + size > MAX_HELD:
                raise Problem(Code.UNAVAILABLE, "too many commands are on their way to Kafka already; try again")
            self.held += size
            taken += size

        try:
            yield take
        finally:
            self.held -= taken


async def read_body(request: Request, take: Callable[[int], None]) -> bytes:
    """Return the body, each part of it taken out of the room. Raises Problem before more than the limit is held."""
    declared = request.headers.get("content-length", "")
    _check(int(declared) if declared.isascii() and declared.isdecimal() and len(declared) < 20 else 0)
    chunks, size = [], 0
    try:
        async with asyncio.timeout(READ_S):
            async for chunk in request.stream():
                size += len(chunk)
                _check(size)
                take(len(chunk))
                chunks.append(chunk)
    except TimeoutError as error:
        raise _incomplete(f"it did not arrive within {READ_S:g} s") from error
    except ClientDisconnect as error:  # nobody reads the answer; a traceback in the log would be the only trace
        raise _incomplete("the client went away") from error
    return b"".join(chunks)


def _check(size: int) -> None:
    if size > MAX_BODY:
        raise Problem(Code.TOO_LARGE, f"the body is larger than {MAX_BODY} bytes")


def _incomplete(message: str) -> Problem:
    return invalid_field("body", message)
