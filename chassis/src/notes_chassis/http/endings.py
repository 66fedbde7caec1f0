"""The end of answers over HTTP/1.0, and of answers that the end of the service cuts off, instead of uvicorn's."""

import asyncio
import sys
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from notes_chassis.http.problems import problem_response

ABORT: Final = "notes.abort"
"""The ASGI extension with a function that aborts the request's connection."""


def until_closed(cycle: RequestResponseCycle) -> Send:
    """Return a `send` for HTTP/1.0: an answer of unknown length ends with the connection, and has no chunks."""
    send = cycle.send
    any_length = False

    async def in_one_piece(message: Message) -> None:
        nonlocal any_length
        if message["type"] == "http.response.start":
            any_length = all(name != b"content-length" for name, _ in message["headers"])
            if any_length:  # for uvicorn, an answer with a declared length that is never reached
                cycle.chunked_encoding = False
                cycle.expected_content_length = sys.maxsize
        elif any_length and not message.get("more_body"):
            cycle.expected_content_length = len(message.get("body", b""))
        await send(message)  # type: ignore[arg-type]

    return in_one_piece


def answered(app: ASGIApp) -> ASGIApp:
    """Return the app with 503 for requests that the end of the service cancels, without a traceback in the log."""

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
