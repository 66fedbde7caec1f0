"""Asks command-service for snapshots."""

import asyncio
from datetime import timedelta
from typing import Final

import httpx

from notes_query.repairing.ask_republish import Refused

PAUSE: Final = timedelta(seconds=10)
"""After an answer that says nothing about when to come again, and after none."""
LONGEST: Final = timedelta(minutes=10)
TOO_LONG: Final = 10


class HttpRepublisher:
    """Republisher."""

    def __init__(self, client: httpx.AsyncClient, timeout_s: float) -> None:
        self._client = client
        self._timeout_s = timeout_s

    async def republish(self, note_id: str) -> str:
        """See Republisher."""
        try:
            async with asyncio.timeout(self._timeout_s):
                answer = await self._client.post("/admin/republish", json={"note_id": note_id})
        except (httpx.HTTPError, TimeoutError) as error:
            raise Refused("unreachable", PAUSE) from error
        if answer.status_code == httpx.codes.ACCEPTED:
            return "accepted"
        if answer.status_code == httpx.codes.NOT_FOUND and "note_not_found" in answer.text:
            return "unknown"
        if answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise Refused("rate_limited", _retry_after(answer))
        raise Refused(f"status_{answer.status_code}", _retry_after(answer))


def _retry_after(answer: httpx.Response) -> timedelta:
    text = answer.headers.get("retry-after", "")
    if not (text.isascii() and text.isdigit() and len(text) < TOO_LONG):  # a date, or nonsense
        return PAUSE
    return min(LONGEST, max(timedelta(seconds=1), timedelta(seconds=int(text))))
