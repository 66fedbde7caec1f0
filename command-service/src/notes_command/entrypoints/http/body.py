"""The body of a request, read up to a limit. FastAPI's own limit answers in plain text, not with a problem document."""

from typing import Final

from fastapi import Request

from notes_command.entrypoints.http.problems import Problem
from notes_contracts import Code

MAX_BODY: Final = 1024 * 1024
"""Bytes. The largest legal command (100,000 characters of body, each escaped in six bytes) fits, with room to spare."""


async def read_body(request: Request) -> bytes:
    """Return the body. Raises Problem `too_large` before more than the limit is held."""
    declared = request.headers.get("content-length", "")
    _check(int(declared) if declared.isdecimal() else 0)
    chunks, size = [], 0
    async for chunk in request.stream():
        size += len(chunk)
        _check(size)
        chunks.append(chunk)
    return b"".join(chunks)


def _check(size: int) -> None:
    if size > MAX_BODY:
        raise Problem(Code.TOO_LARGE, f"the body is larger than {MAX_BODY} bytes")
