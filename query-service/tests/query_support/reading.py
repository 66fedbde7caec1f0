"""A reader who waits for a version, for as long as a busy machine takes."""

from functools import partial

import httpx

from tests.harness.waiting import eventually


async def reached(client: httpx.AsyncClient, note: str, version: int = 1) -> httpx.Response:
    """Return the answer with this version of a note, or a later one, once that is there."""
    ask = partial(client.get, f"/notes/{note}?min_version={version}&wait=10")
    return await eventually(ask, lambda answer: answer.json().get("version", 0) >= version, within_s=60)
