"""HEAD, wherever there is GET."""

from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

ASKED: Final = "notes.head"
"""The key of a scope that says that GET stands for HEAD: what answers with a stream need not begin one."""


class AnswersHead:
    """ASGI middleware: HEAD is answered as GET would be, without its body, and ends with the first part of one."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or scope["method"] != "HEAD":
            await self._app(scope, receive, send)
            return
        ended = False

        async def without_body(message: Message) -> None:
            nonlocal ended
            if message["type"] == "http.response.start":
                await send(message)
            elif not ended:
                ended = True
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        await self._app({**scope, "method": "GET", ASKED: True}, receive, without_body)
