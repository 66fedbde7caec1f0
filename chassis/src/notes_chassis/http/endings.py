"""How answers end that uvicorn would end otherwise: those over HTTP/1.0, and those that outlive the service."""

import asyncio
import sys
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from notes_chassis.http.problems import problem_response

ABORT: Final = "notes.abort"
"""The ASGI extension under which a request finds what cuts its connection, whatever is still to be sent."""


def until_closed(cycle: RequestResponseCycle) -> Send:
    """Return what sends an answer as HTTP/1.0 has it: of any length to the end of the connection, without chunks."""
    send, any_length = cycle.send, False

    async def in_one_piece(message: Message) -> None:
        nonlocal any_length
        if message["type"] == "http.response.start":
            any_length = all(name != b"content-length" for name, _ in message["headers"])
            if any_length:  # what uvicorn knows of an answer whose length was said, and has no end
                cycle.chunked_encoding, cycle.expected_content_length = False, sys.maxsize
        elif any_length and not message.get("more_body"):
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)  # type: ignore[arg-type]

    return in_one_piece


def answered(app: ASGIApp) -> ASGIApp:
    """Return the app. A request that the end of the service cancels gets 503, and leaves no traceback in the log."""

    async def run(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await app(scope, receive, send)
        except asyncio.CancelledError:
            if scope["type"] != "http":
                raise
            ending = problem_response(503, "unavailable", "the service is ending; try again", {"Connection": "close"})
            try:
                await ending(scope, receive, send)
            except RuntimeError:  # another answer has begun
                scope["extensions"][ABORT]["connection"]()

    return run
